"""The command push."""

from typing import Annotated

import typer


def push(
    repository: Annotated[str, typer.Argument(help="OWNER/NAME on the Hugging Face Hub.")],
    version: Annotated[str, typer.Argument(help="Version to push: `latest` or a name.")] = "latest",
    public: Annotated[bool, typer.Option("--public", help="Let everybody read a repository that is created.")] = False,
    license_id: Annotated[
        str | None, typer.Option("--license", help="License of the model, by its name on the hub.")
    ] = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only print the model card.")] = False,
) -> None:
    """Push a version of the model with a model card to the Hugging Face Hub, into a private repository by default."""
    from .. import components
    from ..registry import hub
    from ..training.model_card import model_card
    from ..training.read_report import read_report
    from ..training.report import CURVES_FILE, REPORT_FILE

    hub.check_name(repository)
    settings = components.get_settings()
    registry = components.model_selection(settings).registry
    found = registry.find(version)
    folder = registry.fetch(found, settings.model_cache)
    files = hub.model_files(folder, found)
    files.pop(REPORT_FILE, None)  # it has the paths of this machine; the card says the rest
    if CURVES_FILE in found.files:
        files[CURVES_FILE] = folder / CURVES_FILE
    card = model_card(repository, found, read_report(folder), license_id)
    if dry_run:
        typer.echo(card)
        return
    typer.echo(hub.push(hub.connect(), repository, hub.Upload(found, files, card), public))
