"""Files of records, read, predicted from and written a piece at a time: lines, JSONL, CSV and Parquet."""

import csv
import io
import json
import os
from collections.abc import Callable, Generator, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from types import MappingProxyType
from typing import IO, Any, Protocol

from .predictor import InvalidInput, InvalidParameter
from .task import Input, Parameters, Prediction

MAX_LINE_BYTES = 10_000_000
"""A longer line is an error of its own and is never held in memory."""

ROWS = 256
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


OUTCOMES = ("prediction", "error")
"""Names that the output adds to a record's fields."""


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


class Predicts(Protocol):
    """What computes predictions: a predictor, or who shares one."""

    def predict(self, inputs: Sequence[Input], parameters: Parameters) -> list[Prediction]:
        """One prediction for each input, in order. Raises InvalidInput."""


def format_of(path: Path, default: str | None) -> str:
    """Name of the format that the file's ending stands for. Raises InvalidInput if it is unknown and has no default."""
    form = FORMATS.get(path.suffix.lower(), default)
    if form is None:
        raise InvalidInput(f"{path}: unknown ending; give --format or one of {', '.join(FORMATS)}")
    return form


def read(stream: IO[bytes], form: str, column: str) -> Iterator[Record]:
    """The records of a binary stream. A line that cannot be used comes as a record with an error.

    Raises InvalidInput where the whole file is of no use, such as a missing column.
    """
    readers = {"lines": _read_lines, "jsonl": _read_jsonl, "csv": _read_csv, "parquet": _read_parquet}
    for record in readers[form](stream, column):
        for outcome in OUTCOMES:
            record.fields.pop(outcome, None)  # of an earlier run over the same file
        if record.error is None:
            record.error = problem(record.text)
        yield record


def problem(text: str) -> str | None:
    """Why a text cannot be predicted from; None if it can."""
    if not text.isprintable() and _has_surrogates(text):
        return "not UTF-8"
    return None if text.strip() else "empty"


@contextmanager
def replacing(path: Path) -> Generator[IO[bytes]]:
    """A stream whose content takes the place of `path` when the block ends, and vanishes if it fails."""
    if not path.parent.is_dir():
        raise InvalidInput(f"{path}: there is no folder {path.parent}")
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


def predict_records(
    predictor: Predicts, chunk: list[Record], parameters: Parameters, parse: Callable[[str], Input]
) -> Iterator[tuple[Record, Any]]:
    """Each record with its prediction; if the chunk fails as a whole, one by one, so that only the bad one does.

    `parse` makes an input of a record's text. Raises InvalidParameter.
    """
    good = []
    for record in chunk:
        if record.error is None:
            try:
                good.append((record, parse(record.text)))
            except InvalidInput as error:
                record.error = str(error)
    predictions: dict[int, Any] = {}
    try:
        computed = predictor.predict([each for _, each in good], parameters)
        predictions = {record.number: each for (record, _), each in zip(good, computed, strict=True)}
    except InvalidParameter:
        raise
    except InvalidInput:
        for record, each in good:
            try:
                predictions[record.number] = predictor.predict([each], parameters)[0]
            except InvalidInput as error:
                record.error = str(error)
    for record in chunk:
        yield record, predictions.get(record.number)


def _has_surrogates(text: str) -> bool:
    return any("\ud800" <= character <= "\udfff" for character in text)


def _lines(stream: IO[bytes]) -> Iterator[tuple[int, str, str | None]]:
    """Number and text of each line, and why it cannot be used, if so."""
    number = 0
    while line := stream.readline(MAX_LINE_BYTES + 1):
        number += 1
        if len(line) > MAX_LINE_BYTES:
            while line and not line.endswith(b"\n"):
                line = stream.readline(MAX_LINE_BYTES)
            yield number, "\n", f"longer than {MAX_LINE_BYTES:,} bytes"
            continue
        text = line.decode("utf-8", errors="replace")
        good = "\ufffd" not in text or text == line.decode("utf-8", errors="ignore")
        yield number, text.removeprefix("\ufeff") if number == 1 else text, None if good else "not UTF-8"


def _read_lines(stream: IO[bytes], column: str) -> Iterator[Record]:
    for number, line, error in _lines(stream):
        text = line.rstrip("\r\n")
        yield Record(number, text, {column: text}, error)


def _read_jsonl(stream: IO[bytes], column: str) -> Iterator[Record]:
    for number, line, problem in _lines(stream):
        if problem:
            yield Record(number, error=problem)
            continue
        try:
            value = json.loads(line, parse_constant=_no_number)
        except json.JSONDecodeError as error:
            yield Record(number, error=f"not JSON: {error.msg}, column {error.colno}")
            continue
        except (ValueError, RecursionError) as error:
            yield Record(number, error=f"not JSON: {error}")
            continue
        fields = value if isinstance(value, dict) else {column: value}
        text = fields.get(column)
        if isinstance(text, str):
            yield Record(number, text, fields)
        else:
            yield Record(number, fields=fields, error=f"no string called {column}")


def _no_number(name: str) -> None:
    """NaN and the infinities, which Python reads and JSON does not have."""
    raise ValueError(f"{name} is not a number")


def _read_csv(stream: IO[bytes], column: str) -> Iterator[Record]:
    csv.field_size_limit(MAX_LINE_BYTES)
    problems: dict[int, str] = {}

    def texts() -> Iterator[str]:
        for number, line, problem in _lines(stream):
            if problem:
                problems[number] = problem
            yield line

    rows = csv.reader(texts(), strict=True)
    try:
        header = next(rows, None)
    except csv.Error as error:
        raise InvalidInput(f"not CSV: {error}") from None
    if header is None:
        return
    if column not in header:
        raise InvalidInput(f"no column called {column} among {', '.join(header)}; name one with --column")
    while True:
        number = rows.line_num + 1
        row: list[str] = []
        error: str | None = None
        try:
            row = next(rows)
        except StopIteration:
            return
        except csv.Error as problem:
            error = f"not CSV: {problem}"
        error = next((problems.pop(each) for each in range(number, rows.line_num + 1) if each in problems), error)
        if not row and not error:
            continue  # a blank line
        if not error and len(row) != len(header):
            error = f"{len(row)} fields, not {len(header)}"
        fields: dict[str, Any] = dict(zip(header, [*row, *[""] * len(header)], strict=False))
        yield Record(number, fields[column], fields, error)


def _read_parquet(stream: IO[bytes], column: str) -> Iterator[Record]:
    arrow, parquet = _pyarrow()
    try:
        # Without these two, a whole row group is held: often the whole file.
        table = parquet.ParquetFile(stream, buffer_size=1 << 20, pre_buffer=False)
    except arrow.ArrowInvalid as error:
        raise InvalidInput(f"not a Parquet file: {error}") from None
    names = table.schema_arrow.names
    if column not in names:
        raise InvalidInput(f"no column called {column} among {', '.join(names)}; name one with --column")
    number = 0
    batches = table.iter_batches(batch_size=ROWS)
    while True:
        try:
            batch = next(batches, None)
        except (arrow.ArrowException, OSError) as error:
            raise InvalidInput(f"a broken Parquet file: {error}") from None
        if batch is None:
            return
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
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"), default=str).encode() + b"\n"


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


class _CsvWriter:
    """The record's own columns, as the first record that has any names them, then `prediction` as JSON and `error`."""

    def __init__(self, stream: IO[bytes]) -> None:
        self._stream = stream
        self._header: list[str] | None = None
        self._waiting: list[Record] = []

    def write(self, record: Record, prediction: Any) -> None:
        if self._header is None:
            if not record.fields and len(self._waiting) < ROWS:
                self._waiting.append(record)
                return
            self._begin(list(record.fields))
        self._write(record, prediction)

    def close(self) -> None:
        if self._header is None and self._waiting:
            self._begin([])
        self._stream.flush()

    def _begin(self, header: list[str]) -> None:
        self._header = header
        self._row([*header, *OUTCOMES])
        for record in self._waiting:
            self._write(record, None)
        self._waiting.clear()

    def _write(self, record: Record, prediction: Any) -> None:
        cells = [record.fields.get(name, "") for name in self._header or []]
        outcome = _to_json(prediction).decode().rstrip("\n") if record.error is None else ""
        self._row([*cells, outcome, record.error or ""])

    def _row(self, cells: Iterable[Any]) -> None:
        text = io.StringIO(newline="")
        csv.writer(text, lineterminator="\n").writerow(cells)
        self._stream.write(text.getvalue().encode())


class _ParquetWriter:
    """The record's own columns, then `prediction` and `error`; types come from the first rows with a prediction."""

    def __init__(self, stream: IO[bytes]) -> None:
        self._arrow, self._parquet = _pyarrow()
        self._stream = stream
        self._rows: list[dict[str, Any]] = []
        self._file: Any = None

    def write(self, record: Record, prediction: Any) -> None:
        self._rows.append({**record.fields, "prediction": prediction, "error": record.error})
        if len(self._rows) >= ROWS and (self._file or any(row["prediction"] is not None for row in self._rows)):
            self._flush()

    def close(self) -> None:
        if self._rows or self._file is None:
            self._flush()
        self._file.close()

    def _flush(self) -> None:
        try:
            if self._file is None:
                self._file = self._parquet.ParquetWriter(self._stream, self._schema())
            self._file.write_table(self._arrow.Table.from_pylist(self._rows, schema=self._file.schema))
        except (self._arrow.ArrowException, OverflowError) as error:
            raise InvalidInput(f"a Parquet column holds values of one type: {error}") from None
        self._rows.clear()

    def _schema(self) -> Any:
        names = dict.fromkeys(name for row in self._rows for name in row if name not in OUTCOMES)
        rows = [{name: row.get(name) for name in (*names, *OUTCOMES)} for row in self._rows]
        schema = self._arrow.Table.from_pylist(rows).schema if rows else self._arrow.schema([])
        text = self._arrow.string()
        return self._arrow.schema([each.with_type(text) if str(each.type) == "null" else each for each in schema])
