"""Files of records, read and written a piece at a time: lines, JSONL, CSV and Parquet."""

import csv
import json
import os
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from types import MappingProxyType
from typing import IO, Any, Protocol

from .predictor import InvalidInput

MAX_LINE_BYTES = 10_000_000
"""A longer line is an error of its own and is never held in memory."""

ROWS = 1024
"""Rows of a Parquet file that are held at once."""

FORMATS = MappingProxyType(
    {
        ".txt": "lines",
        ".jsonl": "jsonl",
        ".ndjson": "jsonl",
        ".csv": "csv",
        ".parquet": "parquet",
    }
)


@dataclass
class Record:
    """One record of a file: what to predict from, and the fields that are passed through."""

    number: int
    """Line of the file, or row of a Parquet file; the first is 1."""
    text: str = ""
    fields: dict[str, Any] = field(default_factory=dict)
    error: str | None = None
    """Why the record cannot be used; None if it can."""


class Writer(Protocol):
    """Writes a record with its prediction, or with its error."""

    def write(self, record: Record, prediction: Any) -> None: ...

    def close(self) -> None: ...


def format_of(path: Path) -> str:
    """Name of the format that the file's ending stands for. Raises InvalidInput for an ending that is unknown."""
    try:
        return FORMATS[path.suffix.lower()]
    except KeyError:
        raise InvalidInput(f"{path}: unknown ending; give --format or one of {', '.join(FORMATS)}") from None


def read(stream: IO[bytes], form: str, column: str) -> Iterator[Record]:
    """The records of a binary stream. A line that cannot be used comes as a record with an error.

    Raises InvalidInput where the whole file is of no use, such as a missing column.
    """
    readers = {"lines": _read_lines, "jsonl": _read_jsonl, "csv": _read_csv, "parquet": _read_parquet}
    for record in readers[form](stream, column):
        if record.error is None and not record.text.isprintable() and _has_surrogates(record.text):
            record.error = "not UTF-8"
        if record.error is None and not record.text.strip():
            record.error = "empty"
        yield record


@contextmanager
def replacing(path: Path) -> Iterator[IO[bytes]]:
    """A stream whose content takes the place of `path` when the block ends, and vanishes if it fails."""
    temporary = path.with_name(f".{path.name}.{os.getpid()}.part")
    try:
        with temporary.open("wb") as stream:
            yield stream
        temporary.replace(path)
    finally:
        temporary.unlink(missing_ok=True)


def writer(stream: IO[bytes], form: str) -> Writer:
    """A writer of the named format on a binary stream."""
    writers: dict[str, type[Writer]] = {
        "lines": _LineWriter,
        "jsonl": _JsonlWriter,
        "csv": _CsvWriter,
        "parquet": _ParquetWriter,
    }
    return writers[form](stream)  # type: ignore[call-arg]


def _has_surrogates(text: str) -> bool:
    return any("\udc80" <= character <= "\udcff" for character in text)


def _lines(stream: IO[bytes]) -> Iterator[tuple[int, str | None]]:
    """Number and text of each line; None where it is too long. Bytes that are not UTF-8 become surrogates."""
    number = 0
    while line := stream.readline(MAX_LINE_BYTES + 1):
        number += 1
        if len(line) > MAX_LINE_BYTES:
            while line and not line.endswith(b"\n"):
                line = stream.readline(MAX_LINE_BYTES)
            yield number, None
            continue
        text = line.decode("utf-8", errors="surrogateescape")
        yield number, text.removeprefix("\ufeff") if number == 1 else text


_TOO_LONG = f"longer than {MAX_LINE_BYTES:,} bytes"


def _read_lines(stream: IO[bytes], column: str) -> Iterator[Record]:
    for number, line in _lines(stream):
        if line is None:
            yield Record(number, error=_TOO_LONG)
        else:
            text = line.rstrip("\r\n")
            yield Record(number, text, {column: text})


def _read_jsonl(stream: IO[bytes], column: str) -> Iterator[Record]:
    for number, line in _lines(stream):
        if line is None:
            yield Record(number, error=_TOO_LONG)
            continue
        try:
            value = json.loads(line)
        except (json.JSONDecodeError, RecursionError) as error:
            reason = "nested too deeply" if isinstance(error, RecursionError) else f"{error.msg}, column {error.colno}"
            yield Record(number, error=f"not JSON: {reason}")
            continue
        fields = value if isinstance(value, dict) else {column: value}
        text = fields.get(column)
        if isinstance(text, str):
            yield Record(number, text, fields)
        else:
            yield Record(number, fields=fields, error=f"no string called {column}")


def _read_csv(stream: IO[bytes], column: str) -> Iterator[Record]:
    csv.field_size_limit(MAX_LINE_BYTES)
    rows = csv.reader((line if line is not None else "\n" for _, line in _lines(stream)), strict=True)
    header = next(rows, None)
    if header is None:
        return
    if column not in header:
        raise InvalidInput(f"no column called {column} among {', '.join(header)}; name one with --column")
    while True:
        number = rows.line_num + 1
        try:
            row = next(rows)
        except StopIteration:
            return
        except csv.Error as error:
            yield Record(number, error=f"not CSV: {error}")
            continue
        if len(row) == len(header):
            fields: dict[str, Any] = dict(zip(header, row, strict=True))
            yield Record(number, fields[column], fields)
        else:
            yield Record(number, error=f"{len(row)} fields, not {len(header)}")


def _read_parquet(stream: IO[bytes], column: str) -> Iterator[Record]:
    arrow, parquet = _pyarrow()
    try:
        table = parquet.ParquetFile(stream)
    except arrow.ArrowInvalid as error:
        raise InvalidInput(f"not a Parquet file: {error}") from None
    names = table.schema_arrow.names
    if column not in names:
        raise InvalidInput(f"no column called {column} among {', '.join(names)}; name one with --column")
    number = 0
    for batch in table.iter_batches(batch_size=ROWS):
        for fields in batch.to_pylist():
            number += 1
            text = fields[column]
            if isinstance(text, str):
                yield Record(number, text, fields)
            else:
                yield Record(number, fields=fields, error=f"no string in {column}")


def _pyarrow() -> tuple[Any, Any]:
    try:
        import pyarrow
        import pyarrow.parquet
    except ImportError:
        raise InvalidInput("Parquet files need pyarrow: install the extra called parquet") from None
    return pyarrow, pyarrow.parquet


def _to_json(value: Any) -> bytes:
    return json.dumps(value, ensure_ascii=False, separators=(",", ":")).encode("utf-8", errors="replace") + b"\n"


class _LineWriter:
    """One prediction a line, as JSON; an object with the error where there is none."""

    def __init__(self, stream: IO[bytes]) -> None:
        self._stream = stream

    def write(self, record: Record, prediction: Any) -> None:
        self._stream.write(_to_json(prediction if record.error is None else {"error": record.error}))

    def close(self) -> None:
        self._stream.flush()


class _JsonlWriter(_LineWriter):
    """The record's own fields, then `prediction` or `error`."""

    def write(self, record: Record, prediction: Any) -> None:
        outcome = {"prediction": prediction} if record.error is None else {"error": record.error}
        self._stream.write(_to_json({**record.fields, **outcome}))


class _CsvWriter(_LineWriter):
    """The record's own columns, then `prediction` as JSON and `error`."""

    _header: list[str] | None = None

    def write(self, record: Record, prediction: Any) -> None:
        if self._header is None:
            self._header = list(record.fields)
            self._row([*self._header, "prediction", "error"])
        cells = [record.fields.get(name, "") for name in self._header]
        outcome = _to_json(prediction).decode().rstrip("\n") if record.error is None else ""
        self._row([*cells, outcome, record.error or ""])

    def _row(self, cells: Iterable[Any]) -> None:
        csv.writer(_Encoded(self._stream), lineterminator="\n").writerow(cells)


class _Encoded:
    """Lets the csv module, which writes text, write to a binary stream."""

    def __init__(self, stream: IO[bytes]) -> None:
        self._stream = stream

    def write(self, text: str) -> int:
        return self._stream.write(text.encode("utf-8", errors="replace"))


class _ParquetWriter:
    """The record's own columns, then `prediction` and `error`; types come from the first rows."""

    def __init__(self, stream: IO[bytes]) -> None:
        self._arrow, self._parquet = _pyarrow()
        self._stream = stream
        self._rows: list[dict[str, Any]] = []
        self._file: Any = None

    def write(self, record: Record, prediction: Any) -> None:
        self._rows.append({**record.fields, "prediction": prediction, "error": record.error})
        if len(self._rows) == ROWS:
            self._flush()

    def close(self) -> None:
        self._flush()
        if self._file is not None:
            self._file.close()

    def _flush(self) -> None:
        if self._file is None:
            table = self._arrow.Table.from_pylist(self._rows)
            schema = self._arrow.schema(
                [each.with_type(self._arrow.string()) if str(each.type) == "null" else each for each in table.schema]
            )
            self._file = self._parquet.ParquetWriter(self._stream, schema)
        try:
            self._file.write_table(self._arrow.Table.from_pylist(self._rows, schema=self._file.schema))
        except (self._arrow.ArrowInvalid, self._arrow.ArrowTypeError) as error:
            raise InvalidInput(f"a Parquet column holds values of one type: {error}") from None
        self._rows.clear()
