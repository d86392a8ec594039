"""The command models."""

import json
from pathlib import Path
from typing import Annotated, Any

import typer


def models(
    version: Annotated[str | None, typer.Argument(help="Version to show in full: `latest` or a name.")] = None,
    upload: Annotated[
        Path | None, typer.Option(exists=True, file_okay=False, help="Publish the files of this folder.")
    ] = None,
    download: Annotated[bool, typer.Option("--download", help="Download the version and print its folder.")] = False,
    delete: Annotated[bool, typer.Option("--delete", help="Delete the version.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="List as JSON.")] = False,
) -> None:
    """List the versions of the model, or show, upload, download or delete one."""
    from .. import components

    settings = components.get_settings()
    registry = components.model_selection(settings).registry
    if upload:
        typer.echo(registry.publish(upload).name)
    elif version is None and (download or delete):
        raise typer.BadParameter("name a version", param_hint="VERSION")
    elif version is None:
        found = [registry.find(name).model_dump(mode="json") for name in registry.names()]
        if as_json:
            typer.echo(json.dumps(found, indent=2))
        else:
            _show(found, settings.model_version)
    elif delete:
        registry.delete(version)
    elif download:
        typer.echo(registry.fetch(registry.find(version), settings.model_cache))
    else:
        typer.echo(registry.find(version).model_dump_json(indent=2))


def _show(versions: list[dict[str, Any]], selected: str) -> None:
    from rich.console import Console
    from rich.table import Table

    from ..registry.store import LATEST

    table = Table("version", "bytes", "metrics", "")
    for each in versions:
        metrics = ", ".join(f"{name} {value:.4g}" for name, value in each["metrics"].items())
        is_selected = each["name"] == selected or (selected == LATEST and not table.rows)
        table.add_row(each["name"], f"{each['size']:,}", metrics, "selected" if is_selected else "")
    Console().print(table if table.rows else "no version yet: make one with the command train")
