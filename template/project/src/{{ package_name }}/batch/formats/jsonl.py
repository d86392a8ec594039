"""JSON lines: one object or string a line, or an array of the texts of several columns."""

import json
import sys
from collections.abc import Iterator, Sequence
from typing import IO, Any

from ...json_limits import count_values, json_problem
from .record import VALUE_BYTES, Record, read_lines, to_json_line


def read(stream: IO[bytes], columns: Sequence[str]) -> Iterator[Record]:
    """Yield a record for each line. A value that is no object becomes the fields called like `columns`."""
    for number, line, problem in read_lines(stream):
        encoded = line.encode()
        if problem := problem or json_problem(encoded):
            yield Record(number, error=problem)
            continue
        try:
            value = json.loads(line, parse_constant=_refuse_constant)
        except json.JSONDecodeError as error:
            yield Record(number, error=f"not JSON: {error.msg}, column {error.colno}")
            continue
        except (ValueError, RecursionError) as error:
            yield Record(number, error=f"not JSON: {error}")
            continue
        if not isinstance(value, dict):
            values = value if isinstance(value, list) and len(columns) > 1 else [value]
            value = dict(zip(columns, values, strict=False))
        yield Record(number, fields=value, size=sys.getsizeof(line) + VALUE_BYTES * count_values(encoded))


class JsonlWriter:
    """Writes the fields of the record, then `prediction` or `error`."""

    def __init__(self, stream: IO[bytes]) -> None:
        """Write to a binary stream."""
        self._stream = stream

    def write(self, record: Record, prediction: Any) -> None:
        """Write the record as one object."""
        result = {"prediction": prediction} if record.error is None else {"error": record.error}
        self._stream.write(to_json_line({**record.fields, **result}))

    def close(self) -> None:
        """Flush the stream."""
        self._stream.flush()


def _refuse_constant(name: str) -> None:
    """Refuse NaN and the infinities, which Python's parser accepts although JSON has none."""
    raise ValueError(f"{name} is not a number")
