"""File formats of records, and the choice among them."""

from collections.abc import Callable, Iterator
from pathlib import Path
from types import MappingProxyType
from typing import IO, Literal

from ...errors import InvalidInputError
from . import csv, jsonl, lines, parquet
from .record import RESULT_FIELDS, Record, Writer, text_problem

Format = Literal["lines", "jsonl", "csv", "parquet"]

EXTENSIONS: MappingProxyType[str, Format] = MappingProxyType(
    {".txt": "lines", ".jsonl": "jsonl", ".ndjson": "jsonl", ".csv": "csv", ".parquet": "parquet"}
)

_READERS: dict[Format, Callable[[IO[bytes], str], Iterator[Record]]] = {
    "lines": lines.read,
    "jsonl": jsonl.read,
    "csv": csv.read,
    "parquet": parquet.read,
}

_WRITERS: dict[Format, Callable[[IO[bytes]], Writer]] = {
    "lines": lines.LineWriter,
    "jsonl": jsonl.JsonlWriter,
    "csv": csv.CsvWriter,
    "parquet": parquet.ParquetWriter,
}


def detect_format(path: Path, default: Format | None = None) -> Format:
    """Return the format of a file by its extension, or else the default.

    Raises:
        InvalidInputError: The extension is unknown and there is no default.
    """
    found = EXTENSIONS.get(path.suffix.lower(), default)
    if found is None:
        raise InvalidInputError(f"{path}: unknown extension; give --format or one of {', '.join(EXTENSIONS)}")
    return found


def read_records(stream: IO[bytes], format: Format, column: str) -> Iterator[Record]:
    """Yield the records of a binary stream; one that cannot be used has an error.

    Raises:
        InvalidInputError: The whole file cannot be used, for example because it lacks the column.
    """
    for record in _READERS[format](stream, column):
        for name in RESULT_FIELDS:
            record.fields.pop(name, None)  # of an earlier run over the same file
        if record.error is None:
            record.error = text_problem(record.text)
        yield record


def open_writer(stream: IO[bytes], format: Format) -> Writer:
    """Return a writer of the format on a binary stream."""
    return _WRITERS[format](stream)
