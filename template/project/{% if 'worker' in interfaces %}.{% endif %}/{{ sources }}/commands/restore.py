"""Restores the database."""

from typing import Annotated

import typer


def restore(
    address: Annotated[str, typer.Argument(help="What the command backup has written.")],
    force: Annotated[bool, typer.Option("--force", help="Delete what the database holds.")] = False,
) -> None:
    """Put the rows of a backup into an empty database: all of them or none. Stop what uses it before."""
    from ..backup import load
    from ..database import connect
    from ..settings import get_settings
    from ..storage import locate, reached

    engine = connect(get_settings())
    files, place = locate(address)
    with reached(address), files.open(place, "rb") as stream:
        counts = load(engine, stream, force)
    rows = ", ".join(f"{count:,} of {name}" for name, count in counts.items())
    typer.echo(f"{address}: {rows}", err=True)
