"""Backups: all rows in one file that any supported database can restore.

The file is gzip-compressed JSON lines. The first line holds the revisions of the schema and, for each table, its
columns and number of rows; every other line is one row as an array. The counts reveal a truncated file.
"""

import gzip
import zlib
from collections.abc import Generator, Iterable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from itertools import islice
from typing import IO, Annotated, Any, Literal

from pydantic import AfterValidator, BaseModel, ConfigDict, TypeAdapter, ValidationError
from sqlalchemy import (
    JSON,
    Column,
    Connection,
    Engine,
    MetaData,
    Table,
    TypeDecorator,
    delete,
    func,
    insert,
    null,
    select,
)
from sqlalchemy.exc import SQLAlchemyError

from ..errors import InvalidInputError
from . import migrate
from .engine import DatabaseUnavailableError, reason
from .models import Base

CHUNK_ROWS = 1000
"""Rows held in memory at once."""


class TableHeader(BaseModel):
    """Columns and size of one table."""

    name: str
    columns: list[str]
    rows: int


class Header(BaseModel):
    """First line of a backup."""

    format: Literal[1] = 1
    revision: str
    own_revision: str | None = None
    """Revision of your own migrations."""
    tables: list[TableHeader]


def dump(engine: Engine, stream: IO[bytes]) -> dict[str, int]:
    """Write all rows, as of one point in time, and return the number of rows of each table.

    Raises:
        DatabaseUnavailableError: The database cannot be reached or has no tables.
    """
    with _transaction(engine, "BEGIN") as connection:
        revision = migrate.current(connection, migrate.SLIPWAY)
        if revision is None:
            raise DatabaseUnavailableError("the database has no tables yet: run the command migrate")
        tables = _reflect(connection, Base.metadata.tables)
        sizes = {each.name: connection.scalar(select(func.count()).select_from(each)) or 0 for each in tables}
        header = Header(
            revision=revision,
            own_revision=migrate.current(connection, migrate.OWN),
            tables=[TableHeader(name=each.name, columns=each.columns.keys(), rows=sizes[each.name]) for each in tables],
        )
        with gzip.GzipFile("", "wb", fileobj=stream, mtime=0) as packed:
            packed.write(header.model_dump_json(exclude_none=True).encode() + b"\n")
            for table in tables:
                adapter = _row_adapter(list(table.columns))
                rows = select(table).order_by(*table.primary_key.columns).execution_options(yield_per=CHUNK_ROWS)
                for row in connection.execute(rows):
                    packed.write(adapter.dump_json(adapter.validate_python(tuple(row))) + b"\n")
    return sizes


def load(engine: Engine, stream: IO[bytes], force: bool = False) -> dict[str, int]:
    """Restore all rows of a backup, migrate them to this release, and return the number of rows of each table.

    Either everything is restored or nothing is changed.

    Args:
        engine: The database to restore into.
        stream: What `dump` has written.
        force: Delete the rows that the database holds.

    Raises:
        DatabaseUnavailableError: The database cannot be reached.
        InvalidInputError: The file is truncated, damaged or from a newer release, or the database holds rows and
            `force` is false.
    """
    with _transaction(engine, "BEGIN IMMEDIATE") as connection, _unpack(stream) as lines:
        header = Header.model_validate_json(next(lines))
        _check_revisions(header)
        existing = _reflect(connection, Base.metadata.tables)
        if not force and any(connection.execute(select(each).limit(1)).first() for each in existing):
            raise InvalidInputError("the database is not empty: --force deletes what it holds")
        for each in reversed(existing):
            connection.execute(delete(each))
        migrate.move_history(connection, migrate.SLIPWAY, header.revision)
        migrate.move_history(connection, migrate.OWN, header.own_revision)
        for table in header.tables:
            _fill(connection, table, islice(lines, table.rows))
        if next(lines, None) is not None:
            raise ValueError("more rows than its first line states")
        migrate.move(connection)
        connection.commit()
    return {table.name: table.rows for table in header.tables}


def _check_revisions(header: Header) -> None:
    if header.revision not in migrate.revisions(migrate.SLIPWAY):
        raise InvalidInputError(f"the backup is from a newer release: it is at revision {header.revision}")
    if header.own_revision and header.own_revision not in migrate.revisions(migrate.OWN):
        raise InvalidInputError(f"the backup is at revision {header.own_revision}, which {migrate.OWN.folder} lacks")


def _fill(connection: Connection, header: TableHeader, lines: Iterator[bytes]) -> None:
    table = next(iter(_reflect(connection, [header.name])), None)
    if table is None or not set(header.columns) <= set(table.columns.keys()):
        raise ValueError(f"there is no table {header.name} with these columns")
    columns = [table.columns[name] for name in header.columns]
    nulls = [null() if isinstance(column.type, JSON) else None for column in columns]  # SQL's null, not JSON's
    rows = map(_row_adapter(columns).validate_json, lines)
    count = 0
    while chunk := list(islice(rows, CHUNK_ROWS)):
        values = [
            [default if value is None else value for value, default in zip(row, nulls, strict=True)] for row in chunk
        ]
        connection.execute(insert(table), [dict(zip(header.columns, row, strict=True)) for row in values])
        count += len(chunk)
    if count < header.rows:
        raise ValueError("fewer rows than its first line states")
    number = table.autoincrement_column
    if number is not None and connection.dialect.name == "postgresql":  # its sequences do not notice given ids
        sequence = func.pg_get_serial_sequence(header.name, number.name)
        connection.execute(select(func.setval(sequence, func.max(number))))


def _reflect(connection: Connection, names: Iterable[str]) -> list[Table]:
    """Return the existing tables of these names, at any revision, with the column types of this release."""
    names = set(names)
    metadata = MetaData()
    metadata.reflect(connection, only=lambda name, _: name in names)
    for table in metadata.tables.values():
        known = Base.metadata.tables.get(table.name)
        for column in table.columns:
            if known is not None and column.name in known.columns:
                column.type = known.columns[column.name].type
    return metadata.sorted_tables


def _row_adapter(columns: list[Column[Any]]) -> TypeAdapter[tuple[Any, ...]]:
    """Return the adapter that reads and writes one row as JSON."""
    row = tuple[tuple(_python_type(column) for column in columns)]  # type: ignore[misc]
    return TypeAdapter(row, config=ConfigDict(ser_json_bytes="base64", val_json_bytes="base64"))


def _python_type(column: Column[Any]) -> Any:
    if isinstance(column.type, JSON):
        return Any
    stored = column.type.impl_instance if isinstance(column.type, TypeDecorator) else column.type
    kind = stored.python_type
    return (Annotated[datetime, AfterValidator(_in_utc)] if kind is datetime else kind) | None


def _in_utc(time: datetime) -> datetime:
    """Return the time in UTC: SQLite drops the zone, PostgreSQL returns that of the connection."""
    return time.astimezone(UTC) if time.tzinfo else time.replace(tzinfo=UTC)


@contextmanager
def _transaction(engine: Engine, begin: str) -> Generator[Connection]:
    """Open a connection in one transaction that sees a single point in time."""
    try:
        with engine.connect() as connection:
            if connection.dialect.name == "sqlite":
                connection.exec_driver_sql(begin)  # its driver begins a transaction only before a change
            else:
                connection.execution_options(isolation_level="REPEATABLE READ")
            yield connection
    except SQLAlchemyError as error:
        raise DatabaseUnavailableError(f"the database failed: {reason(error)}") from error


@contextmanager
def _unpack(stream: IO[bytes]) -> Generator[Iterator[bytes]]:
    """Iterate over the lines of a backup; convert every sign of damage to InvalidInputError."""
    try:
        with gzip.open(stream) as lines:
            yield iter(lines)
    except InvalidInputError:
        raise
    except (EOFError, StopIteration, ValueError, gzip.BadGzipFile, zlib.error) as error:
        message = "unexpected line format" if isinstance(error, ValidationError) else str(error)
        raise InvalidInputError(f"not a valid backup: {message or 'the file is empty'}") from error
