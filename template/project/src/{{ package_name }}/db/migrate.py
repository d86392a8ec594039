"""Migrations of the database.

There are two independent histories, each with a version table of its own: the migrations of Slipway's tables in
db/migrations/versions, and your own in the folder `migrations` of the package, which updates never touch. Slipway's are
applied first, yours second, so a migration that an update brings never conflicts with yours.
"""

import re
import warnings
from collections.abc import Generator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from alembic import command
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from alembic.util import CommandError
from sqlalchemy import Connection, Engine
from sqlalchemy.exc import SQLAlchemyError

from .engine import DatabaseUnavailableError, reason
from .models import Base

ENVIRONMENT = Path(__file__).parent / "migrations"


@dataclass(frozen=True)
class History:
    """A sequence of migrations in one folder."""

    folder: Path
    version_table: str
    """Table that holds the current revision."""
    prefix: str
    """Prefix of this history's revisions on the command line."""


SLIPWAY = History(ENVIRONMENT / "versions", "alembic_version", "")
OWN = History(Path(__file__).parents[1] / "migrations", "alembic_version_own", "own:")
HISTORIES = (SLIPWAY, OWN)
"""In the order of an upgrade."""

VERSION_TABLES = frozenset(each.version_table for each in HISTORIES)


def migrate(engine: Engine, revision: str = "head") -> str:
    """Migrate to a revision, up or down, and return the current revisions as text.

    Either every migration is applied or none. `head` and `base` migrate both histories; any other revision migrates
    the history that contains it, where `own:` precedes a revision of your own migrations.

    Raises:
        DatabaseUnavailableError: The database cannot be reached, the revision does not exist, or a history has two
            latest migrations.
    """
    try:
        with engine.connect() as connection:
            if connection.dialect.name == "sqlite":
                connection.exec_driver_sql("BEGIN IMMEDIATE")  # its driver begins no transaction before a DDL statement
            move(connection, revision)
            connection.commit()
            return describe(connection)
    except SQLAlchemyError as error:
        raise DatabaseUnavailableError(f"the database cannot be migrated: {reason(error)}") from error


def move(connection: Connection, revision: str = "head") -> None:
    """Migrate to a revision within the transaction of the connection; see `migrate`."""
    for history in HISTORIES:
        check(history)
    if revision == "head":
        for history in HISTORIES:
            move_history(connection, history, next(iter(revisions(history)), None))
    elif revision == "base":
        for history in reversed(HISTORIES):
            move_history(connection, history, None)
    else:
        history, name = find(revision)
        move_history(connection, history, name)


def move_history(connection: Connection, history: History, wanted: str | None) -> None:
    """Migrate one history to a revision, or to its beginning if that is None."""
    known = revisions(history)
    now = current(connection, history)
    if now is not None and now not in known:
        raise DatabaseUnavailableError(_newer(history, now))
    if now == wanted:
        return
    places = [*known, None]
    step = command.downgrade if places.index(wanted) > places.index(now) else command.upgrade
    with _clear_errors():
        step(_config(history, connection), wanted or "base")


def stamp(engine: Engine, revision: str) -> str:
    """Record that the database is at a revision, without running migrations; return the current revisions as text."""
    try:
        with engine.connect() as connection:
            history, name = find(revision)
            with _clear_errors():
                command.stamp(_config(history, connection), name, purge=True)
            connection.commit()
            return describe(connection)
    except SQLAlchemyError as error:
        raise DatabaseUnavailableError(f"the database cannot be stamped: {reason(error)}") from error


def create(engine: Engine, message: str) -> Path:
    """Write a migration of your own that makes the tables of the database equal to the classes below Base.

    Raises:
        DatabaseUnavailableError: The database cannot be reached, or is not at the latest revision.
    """
    check(OWN)
    if found := problem(engine):
        raise DatabaseUnavailableError(found)
    OWN.folder.mkdir(exist_ok=True)
    try:
        with engine.connect() as connection, _clear_errors():
            script = command.revision(_config(OWN, connection), message, autogenerate=True)
    except SQLAlchemyError as error:
        raise DatabaseUnavailableError(f"the database cannot be read: {reason(error)}") from error
    assert script and not isinstance(script, list)  # noqa: S101 - one history, so one script
    return Path(script.path)


def find(revision: str) -> tuple[History, str]:
    """Return the history that contains a revision, and the revision without the prefix of the history."""
    history = OWN if revision.startswith(OWN.prefix) else SLIPWAY
    name = revision.removeprefix(history.prefix)
    if name not in revisions(history):
        known = [each.prefix + name for each in HISTORIES for name in reversed(revisions(each))]
        raise DatabaseUnavailableError(f"there is no revision {revision}; known are {', '.join(known)}")
    return history, name


def current(connection: Connection, history: History) -> str | None:
    """Return the current revision of a history, or None if none of it is applied."""
    options = {"version_table": history.version_table}
    return MigrationContext.configure(connection, opts=options).get_current_revision()


def describe(connection: Connection) -> str:
    """Return the current revisions as text, such as `0002, own:3f2a` or `base`."""
    found = [(history.prefix, current(connection, history)) for history in HISTORIES]
    return ", ".join(f"{prefix}{revision}" for prefix, revision in found if revision) or "base"


def revisions(history: History) -> list[str]:
    """Return the revisions of a history, latest first."""
    if not history.folder.is_dir():
        return []
    return [each.revision for each in _scripts(history).walk_revisions()]


def check(history: History) -> None:
    """Refuse a history that has two latest migrations, or two with the same revision.

    Alembic would apply only one of them: this happens when a migration of your own lies in Slipway's folder, and an
    update adds another one after the same predecessor.
    """
    if not history.folder.is_dir():
        return
    with warnings.catch_warnings(record=True) as found:
        warnings.simplefilter("always")
        try:
            heads = [Path(each.path).name for each in _scripts(history).get_revisions("heads") if each]
        except KeyError as error:
            message = f"{history.folder}: no migration has the revision {error}, which another names as down_revision"
            raise DatabaseUnavailableError(message) from error
    names = [path.name for path in sorted(history.folder.glob("*.py"))]
    repeated = [match[1] for each in found if (match := re.match(r"Revision (\S+) is present more", str(each.message)))]
    if repeated:
        pattern = re.compile(rf"^revision\b.*=\s*[\"']{re.escape(repeated[0])}[\"']", re.MULTILINE)
        heads = [name for name in names if pattern.search((history.folder / name).read_text("utf-8"))]
    if len(heads) < 2:
        return
    message = f"{history.folder} has {len(heads)} latest migrations, {' and '.join(sorted(heads))}"
    if history is OWN:
        raise DatabaseUnavailableError(f"{message}: set down_revision of one to the revision of the other")
    raise DatabaseUnavailableError(f"{message}: move your own to {OWN.folder}, as docs/jobs.md describes")


def problem(engine: Engine, *, allow_newer: bool = False) -> str | None:
    """Return why this release cannot use the database, or None.

    Args:
        engine: The database.
        allow_newer: Whether a database of a later release will do. Its migrations keep what the release before them
            uses, which runs beside it during a rollout and after a rollback.
    """
    try:
        for history in HISTORIES:
            check(history)
        with engine.connect() as connection:
            found = [(history, current(connection, history)) for history in HISTORIES]
    except DatabaseUnavailableError as error:
        return str(error)
    except SQLAlchemyError as error:
        return f"the database cannot be reached: {reason(error)}"
    is_current = True
    for history, now in found:
        known = revisions(history)
        if now is not None and now not in known:
            if not allow_newer:
                return _newer(history, now)
            continue
        is_current = is_current and now == next(iter(known), None)
    return None if is_current else "the database schema is out of date: run the command migrate"


def _newer(history: History, revision: str) -> str:
    if history is OWN:
        return f"the database is at revision {revision}, which {history.folder} does not contain"
    return f"the database is from a newer release: it is at revision {revision}"


@contextmanager
def _clear_errors() -> Generator[None]:
    try:
        yield
    except CommandError as error:
        raise DatabaseUnavailableError(f"the database cannot be migrated: {error}") from error


def _config(history: History, connection: Connection | None = None) -> Config:
    config = Config()
    options = {
        "script_location": ENVIRONMENT,
        "version_locations": history.folder,
        "path_separator": "newline",  # a path may contain spaces and colons
        "file_template": "%(year)d%(month).2d%(day).2d_%(rev)s_%(slug)s",
    }
    for name, value in options.items():
        config.set_main_option(name, str(value).replace("%", "%%"))
    config.attributes.update(
        connection=connection,
        metadata=Base.metadata,
        version_table=history.version_table,
        version_tables=VERSION_TABLES,
    )
    return config


def _scripts(history: History) -> ScriptDirectory:
    return ScriptDirectory.from_config(_config(history))
