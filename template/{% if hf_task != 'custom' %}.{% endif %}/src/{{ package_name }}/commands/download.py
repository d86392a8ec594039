"""Fetches the model before it is needed."""

from typing import Annotated

import typer


def download(
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only say what would be downloaded.")] = False,
) -> None:
    """Download the model at its pinned revision into the hub's cache and print the folder."""
    from ..settings import get_settings
    from ..weights import locate

    settings = get_settings()
    if dry_run:
        typer.echo(f"would download {settings.model} at revision {settings.revision}")
        return
    typer.echo(str(locate(settings)))
