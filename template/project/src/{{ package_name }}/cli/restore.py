"""Restore of the database."""

from typing import Annotated

import typer


def restore(
    address: Annotated[str, typer.Argument(help="File or URL that the command backup has written.")],
    force: Annotated[bool, typer.Option("--force", help="Delete the rows in the database first.")] = False,
) -> None:
    """Restore a backup into an empty database, all rows or none. Stop the API and the workers first."""
    from ..components import get_settings, import_tables
    from ..db.backup import load
    from ..db.engine import opened
    from ..storage import open_filesystem, storage_errors

    import_tables()
    files, path = open_filesystem(address)
    with opened(get_settings()) as engine, storage_errors(address), files.open(path, "rb") as stream:
        counts = load(engine, stream, force)
    typer.echo(f"{address}: {', '.join(f'{name}: {count:,} rows' for name, count in counts.items())}", err=True)
