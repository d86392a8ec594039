"""Plain text: one input a line, the texts of several columns with tabs between them."""

import sys
from collections.abc import Iterator, Sequence
from typing import IO, Any

from .record import VALUE_BYTES, Record, read_lines, to_json_line


def read(stream: IO[bytes], columns: Sequence[str]) -> Iterator[Record]:
    """Yield a record for each line, with a field for each of `columns`; the last one has the rest of the line."""
    for number, line, error in read_lines(stream):
        texts = line.rstrip("\r\n").split("\t", len(columns) - 1)
        fields = dict(zip(columns, texts, strict=False))
        yield Record(number, fields=fields, error=error, size=sys.getsizeof(line) + VALUE_BYTES)


class LineWriter:
    """Writes one prediction a line as JSON, or an object with the error."""

    def __init__(self, stream: IO[bytes]) -> None:
        """Write to a binary stream."""
        self._stream = stream

    def write(self, record: Record, prediction: Any) -> None:
        """Write the prediction or the error."""
        self._stream.write(to_json_line(prediction if record.error is None else {"error": record.error}))

    def close(self) -> None:
        """Flush the stream."""
        self._stream.flush()
