"""CSV with a header."""

import csv
import io
from collections.abc import Iterable, Iterator, Sequence
from typing import IO, Any

from ...errors import InvalidInputError
from .record import MAX_LINE_BYTES, RESULT_FIELDS, Record, read_lines, require_columns, to_json_line

MAX_PENDING_RECORDS = 256
"""Bad records held back until a record with fields gives the header."""


def read(stream: IO[bytes], columns: Sequence[str]) -> Iterator[Record]:
    """Yield a record for each row.

    Raises:
        InvalidInputError: The header cannot be read, or lacks one of the columns.
    """
    csv.field_size_limit(MAX_LINE_BYTES)
    problems: dict[int, str] = {}

    def texts() -> Iterator[str]:
        for number, line, problem in read_lines(stream):
            if problem:
                problems[number] = problem
            yield line

    rows = csv.reader(texts(), strict=True)
    try:
        header = next(rows, None)
    except csv.Error as error:
        raise InvalidInputError(f"not CSV: {error}") from None
    if header is None:
        return
    require_columns(columns, header)
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
        yield Record(number, fields=fields, error=error)


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
