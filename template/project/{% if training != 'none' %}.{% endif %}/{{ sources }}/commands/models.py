"""Shows and keeps the versions of the model."""

import json
from pathlib import Path
from typing import Annotated, Any

import typer


def models(
    version: Annotated[str | None, typer.Argument(help="The version to show whole: latest or a name.")] = None,
    upload: Annotated[
        Path | None, typer.Option(exists=True, file_okay=False, help="Publish the files of this folder.")
    ] = None,
    download: Annotated[bool, typer.Option("--download", help="Fetch the version, and print its folder.")] = False,
    delete: Annotated[bool, typer.Option("--delete", help="Delete the version.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="List as JSON.")] = False,
) -> None:
    """List the versions of the model, or do something with one of them."""
    from ..served import registry
    from ..settings import get_settings

    settings = get_settings()
    versions = registry(settings)
    if upload:
        typer.echo(versions.publish(upload).name)
    elif version is None and (download or delete):
        raise typer.BadParameter("name a version", param_hint="VERSION")
    elif version is None:
        found = [versions.find(name).model_dump(mode="json") for name in versions.names()]
        if as_json:
            typer.echo(json.dumps(found, indent=2))
        else:
            _show(found, settings.model_version)
    elif delete:
        versions.delete(version)
    elif download:
        typer.echo(versions.fetch(versions.find(version), settings.model_cache))
    else:
        typer.echo(versions.find(version).model_dump_json(indent=2))


def _show(versions: list[dict[str, Any]], wanted: str) -> None:
    from rich.console import Console
    from rich.table import Table

    from ..registry import LATEST

    table = Table("version", "bytes", "metrics", "")
    for each in versions:
        metrics = ", ".join(f"{name} {value:.4g}" for name, value in each["metrics"].items())
        is_chosen = each["name"] == wanted or (wanted == LATEST and not table.rows)
        table.add_row(each["name"], f"{each['size']:,}", metrics, "chosen" if is_chosen else "")
    Console().print(table if table.rows else "no version yet: make one with the command train")
