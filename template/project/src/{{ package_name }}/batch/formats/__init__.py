"""File formats of records, and the choice among them."""

import json
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from types import MappingProxyType
from typing import IO, Literal

from ...errors import InvalidInputError
from . import csv, jsonl, lines, parquet
from .record import RESULT_FIELDS, Record, Writer, shorten, text_problem

Format = Literal["lines", "jsonl", "csv", "parquet"]

EXTENSIONS: MappingProxyType[str, Format] = MappingProxyType(
    {".txt": "lines", ".jsonl": "jsonl", ".ndjson": "jsonl", ".csv": "csv", ".parquet": "parquet"}
)

_READERS: dict[Format, Callable[[IO[bytes], Sequence[str]], Iterator[Record]]] = {
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
        raise InvalidInputError(f"{path}: unknown extension; give the format, or use one of {', '.join(EXTENSIONS)}")
    return found


def read_records(stream: IO[bytes], format: Format, columns: str | Sequence[str]) -> Iterator[Record]:
    """Yield the records of a binary stream, whose texts are in columns; one that cannot be used has an error.

    Args:
        stream: The file.
        format: Its format.
        columns: A column whose text is that of the record, or several: then it is a JSON array of their texts.

    Raises:
        InvalidInputError: The whole file cannot be used, for example because it lacks a column.
    """
    names = [columns] if isinstance(columns, str) else list(columns)
    for record in read_rows(stream, format, names):
        for name in RESULT_FIELDS:
            record.fields.pop(name, None)  # of an earlier run over the same file
        texts = [text for name in names if isinstance(text := record.fields.get(name), str)]
        if len(texts) == len(names):
            record.text = texts[0] if len(texts) == 1 else json.dumps(texts)
            record.error = record.error or next(filter(None, map(text_problem, texts)), None)
        else:
            lacking = (name for name in names if not isinstance(record.fields.get(name), str))
            record.error = record.error or shorten(f"no string in {' and '.join(lacking)}")
        yield record


def read_rows(stream: IO[bytes], format: Format, columns: Sequence[str]) -> Iterator[Record]:
    """Yield the records of a binary stream without their texts; one that lacks a column has an error.

    Raises:
        InvalidInputError: The whole file cannot be used, for example because it lacks a column.
    """
    for record in _READERS[format](stream, columns):
        if record.error is None and (missing := [name for name in columns if name not in record.fields]):
            record.error = shorten(f"no {' and no '.join(missing)}")
        yield record


def open_writer(stream: IO[bytes], format: Format) -> Writer:
    """Return a writer of the format on a binary stream."""
    return _WRITERS[format](stream)
