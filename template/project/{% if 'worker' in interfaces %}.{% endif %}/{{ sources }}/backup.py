"""All rows in one file, which any database of the project takes, whatever its kind.

The file is lines of JSON, packed by gzip. The first one tells the revision of the tables, and of each its columns and
how many rows follow; a row is an array of its values. What is cut off is known by that.
"""

import gzip
import zlib
from collections.abc import Generator, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from itertools import islice
from typing import IO, Annotated, Any, Literal

from pydantic import AfterValidator, BaseModel, ConfigDict, TypeAdapter, ValidationError
from sqlalchemy import JSON, Column, Connection, Engine, MetaData, TypeDecorator, delete, func, insert, null, select
from sqlalchemy import Table as Rows
from sqlalchemy.exc import SQLAlchemyError

from . import schema
from .database import DatabaseUnavailable, reason
from .predictor import InvalidInput
from .tables import Table

CHUNK = 1000
"""Rows that are held at once."""


class Part(BaseModel):
    """A table, and how much of it there is."""

    name: str
    columns: list[str]
    rows: int


class Head(BaseModel):
    """The first line."""

    format: Literal[1] = 1
    revision: str
    tables: list[Part]


def dump(engine: Engine, stream: IO[bytes]) -> dict[str, int]:
    """Writes all rows as they are at one moment; returns how many each table has. Raises DatabaseUnavailable."""
    with _transaction(engine, "BEGIN") as connection:
        revision = schema.current(connection)
        if revision is None:
            raise DatabaseUnavailable("the database has no tables yet: run the command migrate")
        tables = _tables(connection, Table.metadata.tables)
        sizes = {each.name: connection.scalar(select(func.count()).select_from(each)) or 0 for each in tables}
        parts = [Part(name=each.name, columns=each.columns.keys(), rows=sizes[each.name]) for each in tables]
        with gzip.GzipFile("", "wb", fileobj=stream, mtime=0) as packed:
            packed.write(Head(revision=revision, tables=parts).model_dump_json().encode() + b"\n")
            for table in tables:
                adapter = _adapter(list(table.columns))
                rows = select(table).order_by(*table.primary_key.columns).execution_options(yield_per=CHUNK)
                for row in connection.execute(rows):
                    packed.write(adapter.dump_json(adapter.validate_python(tuple(row))) + b"\n")
    return sizes


def load(engine: Engine, stream: IO[bytes], force: bool = False) -> dict[str, int]:
    """Puts all rows of a file into the tables, and brings them to this release; returns how many each has.

    All of it is done or nothing. Raises DatabaseUnavailable, and InvalidInput for a file that is no whole backup or of
    a newer release, and for tables that hold rows, unless `force` deletes them.
    """
    with _transaction(engine, "BEGIN IMMEDIATE") as connection, _unpacked(stream) as lines:
        head = Head.model_validate_json(next(lines))
        if head.revision not in schema.revisions():
            raise InvalidInput(f"the backup is of a newer release: it is at revision {head.revision}")
        held = _tables(connection, Table.metadata.tables)
        if not force and any(connection.execute(select(each).limit(1)).first() for each in held):
            raise InvalidInput("the database is not empty: --force deletes what it holds")
        for each in reversed(held):
            connection.execute(delete(each))
        schema.move(connection, head.revision)
        for part in head.tables:
            _fill(connection, part, islice(lines, part.rows))
        if next(lines, None) is not None:
            raise ValueError("more rows than it tells of")
        schema.move(connection)
        connection.commit()
    return {part.name: part.rows for part in head.tables}


def _fill(connection: Connection, part: Part, lines: Iterator[bytes]) -> None:
    table = next(iter(_tables(connection, [part.name])), None)
    if table is None or not set(part.columns) <= set(table.columns.keys()):
        raise ValueError(f"there is no table {part.name} of these columns")
    columns = [table.columns[name] for name in part.columns]
    nothing = [null() if isinstance(column.type, JSON) else None for column in columns]  # and not JSON's own null
    rows = map(_adapter(columns).validate_json, lines)
    count = 0
    while chunk := list(islice(rows, CHUNK)):
        values = [[_or(*each) for each in zip(row, nothing, strict=True)] for row in chunk]
        connection.execute(insert(table), [dict(zip(part.columns, row, strict=True)) for row in values])
        count += len(chunk)
    if count < part.rows:
        raise ValueError("fewer rows than it tells of")
    number = table.autoincrement_column
    if number is not None and connection.dialect.name == "postgresql":  # which counts apart from the rows
        sequence = func.pg_get_serial_sequence(part.name, number.name)
        connection.execute(select(func.setval(sequence, func.max(number))))


def _or(value: Any, default: Any) -> Any:
    return default if value is None else value


def _tables(connection: Connection, names: Any) -> list[Rows]:
    """Those of the names that there are, at whatever revision; of types as this release knows them."""
    metadata = MetaData()
    metadata.reflect(connection, only=lambda name, _: name in names)
    for table in metadata.tables.values():
        known = Table.metadata.tables.get(table.name)
        for column in table.columns:
            if known is not None and column.name in known.columns:
                column.type = known.columns[column.name].type
    return metadata.sorted_tables


def _adapter(columns: list[Column[Any]]) -> TypeAdapter[tuple[Any, ...]]:
    """Reads and writes a row."""
    row = tuple[tuple(_kind(column) for column in columns)]  # type: ignore[misc]
    return TypeAdapter(row, config=ConfigDict(ser_json_bytes="base64", val_json_bytes="base64"))


def _kind(column: Column[Any]) -> Any:
    if isinstance(column.type, JSON):
        return Any
    stored = column.type.impl_instance if isinstance(column.type, TypeDecorator) else column.type
    kind = stored.python_type
    return (Annotated[datetime, AfterValidator(_in_utc)] if kind is datetime else kind) | None


def _in_utc(moment: datetime) -> datetime:
    """SQLite forgets the zone, and PostgreSQL takes that of the connection."""
    return moment.astimezone(UTC) if moment.tzinfo else moment.replace(tzinfo=UTC)


@contextmanager
def _transaction(engine: Engine, begin: str) -> Generator[Connection]:
    """A connection on which everything is seen, and done, as at one moment."""
    try:
        with engine.connect() as connection:
            if connection.dialect.name == "sqlite":
                connection.exec_driver_sql(begin)  # which its driver does before a change alone
            else:
                connection.execution_options(isolation_level="REPEATABLE READ")
            yield connection
    except SQLAlchemyError as error:
        raise DatabaseUnavailable(f"the database failed: {reason(error)}") from error


@contextmanager
def _unpacked(stream: IO[bytes]) -> Generator[Iterator[bytes]]:
    try:
        with gzip.open(stream) as lines:
            yield iter(lines)
    except InvalidInput:
        raise
    except (EOFError, StopIteration, ValueError, gzip.BadGzipFile, zlib.error) as error:
        said = "its lines are not those of one" if isinstance(error, ValidationError) else str(error)
        raise InvalidInput(f"no whole backup: {said or 'it has no first line'}") from error
