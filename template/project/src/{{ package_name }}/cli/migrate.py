"""Migrations of the database."""

from typing import Annotated

import typer


def migrate(
    revision: Annotated[str, typer.Argument(help="Target revision: head, base or a revision.")] = "head",
    create: Annotated[
        str | None, typer.Option(metavar="MESSAGE", help="Write a migration of your own for the tables you changed.")
    ] = None,
    stamp: Annotated[
        bool, typer.Option("--stamp", help="Only record that the database is at the revision; run no migration.")
    ] = False,
) -> None:
    """Migrate the database schema to this release, or to another revision, up or down."""
    from ..components import get_settings, import_tables
    from ..db import migrate
    from ..db.engine import opened

    with opened(get_settings()) as engine:
        if create is not None:
            import_tables()
            typer.echo(str(migrate.create(engine, create)))
            return
        revisions = migrate.stamp(engine, revision) if stamp else migrate.migrate(engine, revision)
    typer.echo(f"the database is at revision {revisions}", err=True)
