"""Download of the model."""

from pathlib import Path
from typing import Annotated

import typer


def download(
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only print what would be downloaded.")] = False,
) -> None:
    """Download the model at its pinned revision into the hub's cache, and print the folder."""
    from ..components import get_settings
    from ..inference.model_files import identify, locate

    settings = get_settings()
    if dry_run:
        model, revision = identify(settings)
        suffix = f" at revision {revision}" if revision else ""
        typer.echo(f"would {'use' if Path(settings.model).is_dir() else 'download'} {model}{suffix}")
        return
    typer.echo(str(locate(settings, ask_hub=True)))
