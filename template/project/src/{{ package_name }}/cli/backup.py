"""Backup of the database."""

from typing import Annotated

import typer


def backup(
    address: Annotated[str, typer.Argument(help="File to write, or a URL such as s3://bucket/monday.jsonl.gz.")],
) -> None:
    """Write a consistent snapshot of all tables to one file, complete or not at all."""
    from ..components import get_settings, import_tables
    from ..db.backup import dump
    from ..db.engine import opened
    from ..storage import open_filesystem, replace_file, storage_errors

    import_tables()
    files, path = open_filesystem(address)
    with opened(get_settings()) as engine, replace_file(files, path, address) as stream, storage_errors(address):
        counts = dump(engine, stream)
    typer.echo(f"{address}: {', '.join(f'{name}: {count:,} rows' for name, count in counts.items())}", err=True)
