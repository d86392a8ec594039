"""Fetches the model before it is needed."""

from typing import Annotated

import typer


def download(
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only say what would be downloaded.")] = False,
) -> None:
    """Download the model at its pinned revision into the hub's cache and print the folder."""
    from ..settings import get_settings
    from ..weights import locate, revision_of

    settings = get_settings()
    if dry_run:
        revision = revision_of(settings)
        at = f"download {settings.model} at revision {revision}" if revision else f"use the folder {settings.model}"
        typer.echo(f"would {at}")
        return
    typer.echo(str(locate(settings)))
