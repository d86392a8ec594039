"""The database of the settings: a file of SQLite until another one is set."""

from pathlib import Path
from typing import Any

from sqlalchemy import Engine, create_engine, event, make_url
from sqlalchemy.exc import ArgumentError

from .settings import Settings

PATIENCE = 5
"""Seconds until a database that does not answer counts as one that cannot be reached."""


class DatabaseUnavailable(ConnectionError):
    """The database cannot be used; the message says why, in one line, and never holds a password."""


def connect(settings: Settings) -> Engine:
    """A pool of connections, of which none is made yet. Raises DatabaseUnavailable where the address is none."""
    try:
        url = make_url(settings.database)
        if settings.database_password:
            url = url.set(password=settings.database_password.get_secret_value())
        if url.get_backend_name() == "sqlite":
            Path(url.database or "").parent.mkdir(parents=True, exist_ok=True)
            engine = create_engine(url, connect_args={"timeout": PATIENCE})
            event.listen(engine, "connect", _share)
            return engine
        return create_engine(
            url,
            pool_size=settings.database_pool,
            max_overflow=0,
            pool_timeout=PATIENCE,
            pool_pre_ping=True,  # a server that was started anew is met without an error
            connect_args={"connect_timeout": PATIENCE} if url.get_backend_name() == "postgresql" else {},
        )
    except ArgumentError as error:
        raise DatabaseUnavailable("database: not an address, as postgresql+psycopg://user@host/name") from error


def reason(error: Exception) -> str:
    """What went wrong, on one line."""
    return " ".join(str(getattr(error, "orig", None) or error).split())


def _share(connection: Any, _: Any) -> None:
    """Lets several processes use a file of SQLite: who reads does not wait for who writes."""
    connection.execute("PRAGMA journal_mode=WAL")
