"""Rows of files to train on, as tuples of checked values."""

from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple, TypeVar

from pydantic import TypeAdapter, ValidationError

from ..batch.formats import detect_format, read_rows
from ..errors import InvalidInputError

RowT = TypeVar("RowT", bound=NamedTuple)


def load_rows(path: Path, row_type: type[RowT]) -> Iterator[RowT]:
    """Yield the rows of a CSV, JSONL or Parquet file, which has a column for each field of the type.

    Raises:
        InvalidInputError: The file cannot be used; the message names the row.
        OSError: The file cannot be read.
    """
    file_format = detect_format(path)
    fields = row_type._fields
    adapter = TypeAdapter(row_type)
    try:
        with path.open("rb") as stream:
            for row in read_rows(stream, file_format, fields):
                if row.error:
                    raise InvalidInputError(f"row {row.number}: {row.error}")
                try:
                    yield adapter.validate_python({name: row.fields[name] for name in fields})
                except ValidationError as error:
                    first = error.errors()[0]
                    raise InvalidInputError(f"row {row.number}: {first['loc'][0]}: {first['msg']}") from error
    except InvalidInputError as error:
        raise InvalidInputError(f"{path}: {error}") from error
