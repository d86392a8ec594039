"""Connections to the database of the settings: an SQLite file by default."""

import os
import time
from collections.abc import Generator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from sqlalchemy import Connection, Engine, create_engine, event, make_url, text
from sqlalchemy.exc import ArgumentError, OperationalError

from ..base_settings import ServiceSettings
from .text import encode_json

CONNECT_TIMEOUT_SECONDS = 5
"""Maximum wait for a connection, in seconds."""

MAX_SILENCE_SECONDS = 10
"""Maximum wait for a byte of PostgreSQL's answer, in seconds: a server that is paused, or behind a network that is cut
off, leaves its connections open."""

LOCK_SPACE = 736_614
"""First number of PostgreSQL's advisory locks of `serialize`; no other program may use it."""


class DatabaseUnavailableError(ConnectionError):
    """The database cannot be used; the message gives the reason in one line and never contains a password."""


def connect(settings: ServiceSettings, is_patient: bool = False) -> Engine:
    """Return a connection pool. It connects on first use.

    Args:
        settings: The settings, which name the database.
        is_patient: Whether a statement may take longer than MAX_SILENCE_SECONDS, as that of a migration may.

    Raises:
        DatabaseUnavailableError: The setting `database` is not an address.
    """
    try:
        url = make_url(settings.database)
        if settings.database_password:
            url = url.set(password=settings.database_password.get_secret_value())
        if url.get_backend_name() == "sqlite":
            with suppress(OSError):  # the first connection fails with a reason, and predictions need none
                Path(url.database or "").parent.mkdir(parents=True, exist_ok=True)
            options = {"timeout": CONNECT_TIMEOUT_SECONDS}
            engine = create_engine(url, connect_args=options, json_serializer=encode_json)
            event.listen(engine, "connect", _enable_wal)
            return engine
        engine = create_engine(
            url,
            pool_size=settings.database_pool_size,
            max_overflow=0,
            pool_timeout=CONNECT_TIMEOUT_SECONDS,
            pool_pre_ping=True,  # connections survive a restart of the server
            json_serializer=encode_json,
            connect_args={"connect_timeout": CONNECT_TIMEOUT_SECONDS} if url.get_backend_name() == "postgresql" else {},
        )
        if url.get_backend_name() == "postgresql":
            event.listen(engine, "do_connect", _connect_with_utf8)
            if not is_patient and engine.driver == "psycopg":
                event.listen(engine, "connect", _limit_silence)
        return engine
    except ArgumentError as error:
        raise DatabaseUnavailableError("database: not an address like postgresql+psycopg://user@host/db") from error


@contextmanager
def opened(settings: ServiceSettings) -> Generator[Engine]:
    """Yield a connection pool for a command, whose statements may take long; close its connections at the end.

    Raises:
        DatabaseUnavailableError: The setting `database` is not an address.
    """
    engine = connect(settings, is_patient=True)
    try:
        yield engine
    finally:
        engine.dispose()


def serialize(connection: Connection, name: str) -> None:
    """Begin a transaction that no other one with the same name runs beside, so that it may count rows and add one."""
    if connection.dialect.name == "sqlite":
        connection.exec_driver_sql("BEGIN IMMEDIATE")  # its driver begins a transaction only before a change
    else:
        lock = text("SELECT pg_advisory_xact_lock(:space, hashtext(:name))")
        connection.execute(lock, {"space": LOCK_SPACE, "name": name})


def read_only_problem(engine: Engine) -> str | None:
    """Return why an SQLite file cannot be written, or None if it can. Another database is not asked."""
    if engine.dialect.name != "sqlite" or engine.url.database in (None, "", ":memory:"):
        return None
    file = Path(engine.url.database or "").absolute()
    folder = next(each for each in file.parents if each.exists())
    needed = [folder, file] if file.exists() else [folder]  # the log of changes is a file beside it
    if all(os.access(each, os.W_OK) for each in needed):
        return None
    return f"the database cannot be written: {file.name} or its folder is read-only"


def reason(error: Exception) -> str:
    """Return the message of a database error on one line, without the SQL statement."""
    return " ".join(str(getattr(error, "orig", None) or error).split())


def _connect_with_utf8(dialect: Any, _: Any, arguments: Any, options: Any) -> Any:
    """Connect to PostgreSQL. Refuse a database that cannot hold every text, before anything is read as bytes."""
    connection = dialect.connect(*arguments, **options)
    encoding = connection.info.parameter_status("server_encoding")
    if encoding == "UTF8":
        return connection
    connection.close()
    message = f"its encoding is {encoding}, not UTF8: create a database with ENCODING 'UTF8' TEMPLATE template0"
    raise OperationalError(None, None, DatabaseUnavailableError(message))


def _limit_silence(connection: Any, _: Any) -> None:
    """Let a connection of psycopg fail when the server is silent. No option of PostgreSQL or TCP does so.

    The server would have to end a statement itself, and the kernel of its machine acknowledges all packets.
    """
    wait = connection.wait

    def limited(generator: Any, *arguments: Any, **options: Any) -> Any:
        return wait(_expect_bytes(connection, generator), *arguments, **options)

    connection.wait = limited


def _expect_bytes(connection: Any, generator: Generator[Any, Any, Any]) -> Generator[Any, Any, Any]:
    """Pass on what a generator of psycopg waits for; psycopg continues it ten times a second without a byte."""
    heard = time.monotonic()
    try:
        awaited = next(generator)
        while True:
            ready = yield awaited
            if ready:
                heard = time.monotonic()
            elif time.monotonic() - heard > MAX_SILENCE_SECONDS:
                connection.close()  # the answer may come yet, and would be taken for that to another statement
                raise connection.OperationalError(f"the server has not answered for {MAX_SILENCE_SECONDS} s")
            awaited = generator.send(ready)
    except StopIteration as ended:
        return ended.value


def _enable_wal(connection: Any, _: Any) -> None:
    """Let readers of an SQLite file continue while another process writes."""
    connection.execute("PRAGMA journal_mode=WAL")
