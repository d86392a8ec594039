"""Brings the tables of a database to this release's, and says where they differ."""

from pathlib import Path

from alembic import command
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from alembic.util import CommandError
from sqlalchemy import Connection, Engine
from sqlalchemy.exc import SQLAlchemyError

from .database import DatabaseUnavailable, reason

MIGRATIONS = Path(__file__).parent / "migrations"


def migrate(engine: Engine, revision: str = "head") -> str | None:
    """Takes the tables to a revision, up or down, and returns it; `base` has none.

    Either all of it happens or nothing. Raises DatabaseUnavailable, also for a revision that there is not.
    """
    try:
        with engine.connect() as connection:
            wanted = move(connection, revision)
            connection.commit()
            return wanted
    except SQLAlchemyError as error:
        raise DatabaseUnavailable(f"the database cannot be migrated: {reason(error)}") from error


def move(connection: Connection, revision: str = "head") -> str | None:
    """The same as a part of the connection's transaction."""
    config = _config()
    config.attributes["connection"] = connection
    now = current(connection)
    known = revisions()
    if now is not None and now not in known:
        raise DatabaseUnavailable(_newer(now))
    wanted = known[0] if revision == "head" else None if revision == "base" else revision
    if wanted is not None and wanted not in known:
        raise DatabaseUnavailable(f"there is no revision {revision}: {', '.join(reversed(known))}")
    places = [*known, None]
    step = command.downgrade if places.index(wanted) > places.index(now) else command.upgrade
    try:
        step(config, wanted or "base")
    except CommandError as error:
        raise DatabaseUnavailable(f"the database cannot be migrated: {error}") from error
    return wanted


def current(connection: Connection) -> str | None:
    """The revision that the tables are at; None where there are none. Raises SQLAlchemyError."""
    return MigrationContext.configure(connection).get_current_revision()


def revisions() -> list[str]:
    """Those that this release knows, the newest first."""
    return [each.revision for each in ScriptDirectory.from_config(_config()).walk_revisions()]


def problem(engine: Engine) -> str | None:
    """Why the database cannot be used by this release; None if it can."""
    try:
        with engine.connect() as connection:
            now = current(connection)
    except SQLAlchemyError as error:
        return f"the database cannot be reached: {reason(error)}"
    known = revisions()
    if now == known[0]:
        return None
    if now is not None and now not in known:
        return _newer(now)
    return "the database has not the tables of this release: run the command migrate"


def _newer(revision: str) -> str:
    return f"the database is of a newer release: it is at revision {revision}"


def _config() -> Config:
    config = Config()
    config.set_main_option("script_location", str(MIGRATIONS).replace("%", "%%"))
    return config
