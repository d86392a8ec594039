"""Migrates the database."""

from typing import Annotated

import typer


def migrate(
    revision: Annotated[str, typer.Argument(help="Where to: head, base or a number.")] = "head",
) -> None:
    """Bring the tables of the database to this release's, or to another revision, up or down."""
    from .. import schema
    from ..database import connect
    from ..settings import get_settings

    typer.echo(f"the database is at revision {schema.migrate(connect(get_settings()), revision) or 'base'}", err=True)
