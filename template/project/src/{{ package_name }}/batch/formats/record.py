"""Parts that all formats share: records, the interface of a writer, and lines of limited length."""

import json
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import IO, Any, Protocol

from ...errors import InvalidInputError

MAX_LINE_BYTES = 10_000_000
"""A longer line becomes an error of its own and is never held in memory."""

RESULT_FIELDS = ("prediction", "error")
"""Fields that the output adds to a record."""


@dataclass
class Record:
    """One record of a file: the text to predict from, and the fields that are passed through."""

    number: int
    """Line of the file, or row of a Parquet file; the first is 1."""
    text: str = ""
    fields: dict[str, Any] = field(default_factory=dict)
    error: str | None = None
    """Why the record cannot be used, or None."""


class Writer(Protocol):
    """Writes records in one format."""

    def write(self, record: Record, prediction: Any) -> None:
        """Write a record with its prediction, or with its error."""

    def close(self) -> None:
        """Write what is buffered. Leave the stream open."""


def require_columns(wanted: Iterable[str], found: Sequence[str]) -> None:
    """Raise InvalidInputError if a file lacks a column."""
    if missing := [name for name in wanted if name not in found]:
        raise InvalidInputError(f"no column called {', '.join(missing)} among {', '.join(found) or 'none'}")


def text_problem(text: str) -> str | None:
    """Return why a text is no valid input, or None."""
    if not text.isprintable() and any("\ud800" <= character <= "\udfff" for character in text):
        return "not UTF-8"
    return None if text.strip() else "empty"


def read_lines(stream: IO[bytes]) -> Iterator[tuple[int, str, str | None]]:
    """Yield the number and the text of each line, and why it cannot be used, or None."""
    number = 0
    while line := stream.readline(MAX_LINE_BYTES + 1):
        number += 1
        if len(line) > MAX_LINE_BYTES:
            while line and not line.endswith(b"\n"):
                line = stream.readline(MAX_LINE_BYTES)
            yield number, "\n", f"longer than {MAX_LINE_BYTES:,} bytes"
            continue
        text = line.decode("utf-8", errors="replace")
        is_valid = "\ufffd" not in text or text == line.decode("utf-8", errors="ignore")
        yield number, text.removeprefix("\ufeff") if number == 1 else text, None if is_valid else "not UTF-8"


def to_json_line(value: Any) -> bytes:
    """Return a value as one line of JSON."""
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"), default=str).encode() + b"\n"
