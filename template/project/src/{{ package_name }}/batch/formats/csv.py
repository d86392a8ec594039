"""CSV with a header."""

import csv
import io
import sys
from collections.abc import Iterable, Iterator, Sequence
from typing import IO, Any

from ...errors import InvalidInputError
from ...json_limits import MAX_VALUES
from .record import (
    MAX_LINE_BYTES,
    RESULT_FIELDS,
    VALUE_BYTES,
    Record,
    limit_columns,
    read_lines,
    require_columns,
    to_json_line,
)

MAX_PENDING_RECORDS = 256
"""Bad records held back until a record with fields gives the header."""


def read(stream: IO[bytes], columns: Sequence[str]) -> Iterator[Record]:
    """Yield a record for each row.

    Raises:
        InvalidInputError: The header cannot be read, has too many columns or lacks one of `columns`; or a row goes on
            over many lines and is too large, as all that follows a stray quote is.
    """
    csv.field_size_limit(MAX_LINE_BYTES)
    lines = _Lines(stream)
    rows = csv.reader(lines, strict=True)
    try:
        header = next(rows, None)
    except csv.Error as error:
        raise InvalidInputError(f"not CSV: {error}") from None
    if header is None:
        return
    limit_columns(len(header))
    require_columns(columns, header)
    while True:
        number = rows.line_num + 1
        row: list[str] = []
        error: str | None = None
        lines.begin_row()
        try:
            row = next(rows)
        except StopIteration:
            return
        except csv.Error as problem:
            error = f"not CSV: {problem}"
        error = lines.problem or error
        if not row and not error:
            continue  # a blank line
        if not error and len(row) != len(header):
            error = f"{len(row)} fields, not {len(header)}"
        fields: dict[str, Any] = dict(zip(header, [*row, *[""] * len(header)], strict=False))
        yield Record(number, fields=fields, error=error, size=lines.size + VALUE_BYTES * len(header))


class _Lines(Iterator[str]):
    """The lines of a stream, and what is known about those of the current row."""

    def __init__(self, stream: IO[bytes]) -> None:
        self._lines = read_lines(stream)
        self.begin_row()

    def begin_row(self) -> None:
        """Count from here."""
        self.problem: str | None = None
        """Why the row cannot be used, or None."""
        self.size = 0
        """Memory of the row, estimated in bytes."""
        self._characters = self._values = 0

    def __next__(self) -> str:
        """Return the next line. One that alone has too many values is blank, and a problem of its row.

        Raises:
            InvalidInputError: The row is too large.
        """
        number, line, problem = next(self._lines)
        values = line.count(",") + 1
        if values > MAX_VALUES:
            line, values, problem = "\n", 1, f"more than {MAX_VALUES:,} commas"
        self.problem = self.problem or problem
        self.size += sys.getsizeof(line) + VALUE_BYTES * values
        self._characters += len(line)
        self._values += values
        if self._characters > MAX_LINE_BYTES or self._values > MAX_VALUES:
            limits = f"{MAX_LINE_BYTES:,} characters or {MAX_VALUES:,} commas and lines"
            raise InvalidInputError(f"line {number}: a row of more than {limits}; is a quote missing before it?")
        return line


class CsvWriter:
    """Writes the columns of the first record that has any, then `prediction` as JSON and `error`."""

    def __init__(self, stream: IO[bytes]) -> None:
        """Write to a binary stream."""
        self._stream = stream
        self._header: list[str] | None = None
        self._pending: list[Record] = []

    def write(self, record: Record, prediction: Any) -> None:
        """Write the record as one row."""
        if self._header is None:
            if not record.fields and len(self._pending) < MAX_PENDING_RECORDS:
                self._pending.append(record)
                return
            self._begin(list(record.fields))
        self._write(record, prediction)

    def close(self) -> None:
        """Write the records held back and flush the stream."""
        if self._header is None and self._pending:
            self._begin([])
        self._stream.flush()

    def _begin(self, header: list[str]) -> None:
        self._header = header
        self._row([*header, *RESULT_FIELDS])
        for record in self._pending:
            self._write(record, None)
        self._pending.clear()

    def _write(self, record: Record, prediction: Any) -> None:
        cells = [record.fields.get(name, "") for name in self._header or []]
        result = to_json_line(prediction).decode().rstrip("\n") if record.error is None else ""
        self._row([*cells, result, record.error or ""])

    def _row(self, cells: Iterable[Any]) -> None:
        text = io.StringIO(newline="")
        csv.writer(text, lineterminator="\n").writerow(cells)
        self._stream.write(text.getvalue().encode())
