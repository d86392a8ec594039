"""Parts that all formats share: records, the interface of a writer, and limits on what is held in memory."""

import json
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import IO, Any, Protocol

from ...errors import InvalidInputError

MAX_LINE_BYTES = 10_000_000
"""A longer line becomes an error of its own and is never held in memory."""

MAX_COLUMNS = 2_000
"""A file with more columns is refused: every record has as many fields, also an empty one."""

MAX_TEXT_CHARACTERS = 1_000_000
"""A longer text becomes an error: its tokens take a tenth of a second, for which the requests of others wait."""

MAX_CHUNK_BYTES = 1_000_000
"""Memory of the records that are computed together. A larger record is computed alone."""

VALUE_BYTES = 100
"""Memory of a value beside its content: the object, and its place in a list or a dict."""

MAX_MESSAGE_CHARACTERS = 500
"""Maximum length of an error: it may quote names and texts of the file."""

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
    size: int = 0
    """Memory of the fields, estimated in bytes."""


class Writer(Protocol):
    """Writes records in one format."""

    def write(self, record: Record, prediction: Any) -> None:
        """Write a record with its prediction, or with its error."""

    def close(self) -> None:
        """Write what is buffered. Leave the stream open."""


def require_columns(wanted: Iterable[str], found: Sequence[str]) -> None:
    """Raise InvalidInputError if a file lacks a column."""
    if missing := [name for name in wanted if name not in found]:
        raise InvalidInputError(shorten(f"no column called {', '.join(missing)} among {', '.join(found) or 'none'}"))


def limit_columns(count: int) -> None:
    """Raise InvalidInputError if a file has too many columns."""
    if count > MAX_COLUMNS:
        raise InvalidInputError(f"{count:,} columns; at most {MAX_COLUMNS:,} are read")


def chunks(records: Iterable[Record], max_records: int) -> Iterator[list[Record]]:
    """Yield lists of records, each of at most `max_records` and `MAX_CHUNK_BYTES`, or of a single larger record."""
    chunk: list[Record] = []
    size = 0
    for record in records:
        if chunk and size + record.size > MAX_CHUNK_BYTES:
            yield chunk
            chunk = list[Record]()
            size = 0
        chunk.append(record)
        size += record.size
        if len(chunk) == max_records:
            yield chunk
            chunk = list[Record]()
            size = 0
    if chunk:
        yield chunk


def shorten(message: str) -> str:
    """Return a message as one line of limited length."""
    message = " ".join(message[: 2 * MAX_MESSAGE_CHARACTERS].split())
    return message if len(message) <= MAX_MESSAGE_CHARACTERS else f"{message[:MAX_MESSAGE_CHARACTERS]}…"


def text_problem(text: str) -> str | None:
    """Return why a text is no valid input, or None."""
    if not text.isprintable() and any("\ud800" <= character <= "\udfff" for character in text):
        return "not UTF-8"
    if len(text) > MAX_TEXT_CHARACTERS:
        return f"longer than {MAX_TEXT_CHARACTERS:,} characters"
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
