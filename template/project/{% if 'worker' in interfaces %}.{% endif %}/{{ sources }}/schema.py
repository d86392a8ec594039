"""Brings the tables of a database to this release's, and says where they differ."""

from pathlib import Path

from alembic import command
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from alembic.util import CommandError
from sqlalchemy import Engine
from sqlalchemy.exc import SQLAlchemyError

from .database import DatabaseUnavailable, reason

MIGRATIONS = Path(__file__).parent / "migrations"


def migrate(engine: Engine, revision: str = "head") -> str | None:
    """Takes the tables to a revision, up or down, and returns it; `base` has none.

    Either all of it happens or nothing. Raises DatabaseUnavailable, also for a revision that there is not.
    """
    config = _config()
    try:
        with engine.connect() as connection:
            config.attributes["connection"] = connection
            now = MigrationContext.configure(connection).get_current_revision()
            connection.rollback()
            script = ScriptDirectory.from_config(config)
            known = [each.revision for each in script.walk_revisions()]  # the newest first
            if now is not None and now not in known:
                raise DatabaseUnavailable(_newer(now))
            wanted = known[0] if revision == "head" else None if revision == "base" else revision
            if wanted is not None and wanted not in known:
                raise DatabaseUnavailable(f"there is no revision {revision}: {', '.join(reversed(known))}")
            places = [*known, None]
            move = command.downgrade if places.index(wanted) > places.index(now) else command.upgrade
            move(config, wanted or "base")
            connection.commit()
            return wanted
    except SQLAlchemyError as error:
        raise DatabaseUnavailable(f"the database cannot be migrated: {reason(error)}") from error
    except CommandError as error:
        raise DatabaseUnavailable(f"the database cannot be migrated: {error}") from error


def problem(engine: Engine) -> str | None:
    """Why the database cannot be used by this release; None if it can."""
    try:
        with engine.connect() as connection:
            now = MigrationContext.configure(connection).get_current_revision()
    except SQLAlchemyError as error:
        return f"the database cannot be reached: {reason(error)}"
    script = ScriptDirectory.from_config(_config())
    if now == script.get_current_head():
        return None
    if now is not None and now not in [each.revision for each in script.walk_revisions()]:
        return _newer(now)
    return "the database has not the tables of this release: run the command migrate"


def _newer(revision: str) -> str:
    return f"the database is of a newer release: it is at revision {revision}"


def _config() -> Config:
    config = Config()
    config.set_main_option("script_location", str(MIGRATIONS).replace("%", "%%"))
    return config
