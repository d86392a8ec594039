"""Backs the database up."""

from typing import Annotated

import typer


def backup(
    address: Annotated[str, typer.Argument(help="File to write, or an address as s3://bucket/monday.jsonl.gz.")],
) -> None:
    """Write the rows of all tables, as they are at one moment, into one file, which is there whole or not at all."""
    from ..backup import dump
    from ..database import connect
    from ..settings import get_settings
    from ..storage import locate, reached, replacing

    engine = connect(get_settings())
    files, place = locate(address)
    with replacing(files, place, address) as stream, reached(address):
        counts = dump(engine, stream)
    rows = ", ".join(f"{count:,} of {name}" for name, count in counts.items())
    typer.echo(f"{address}: {rows}", err=True)
