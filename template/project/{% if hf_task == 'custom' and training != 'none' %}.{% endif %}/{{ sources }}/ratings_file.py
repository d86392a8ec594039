"""Ratings from files."""

import csv
import json
import math
from collections.abc import Iterable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

from .predictor import InvalidInput
from .ratings import Rating

COLUMNS = ("user", "item", "rating")


def read_ratings(path: Path) -> list[Rating]:
    """The ratings of a CSV, JSONL or Parquet file with COLUMNS. Raises InvalidInput with the row, and OSError."""
    readers = {".csv": _csv, ".jsonl": _jsonl, ".ndjson": _jsonl, ".parquet": _parquet}
    if path.suffix.lower() not in readers:
        raise InvalidInput(f"{path}: unknown ending; one of {', '.join(readers)} is known")
    try:
        ratings = [_rating(path, number, row) for number, row in readers[path.suffix.lower()](path)]
    except UnicodeDecodeError as error:
        raise InvalidInput(f"{path}: not UTF-8") from error
    if not ratings:
        raise InvalidInput(f"{path} holds no ratings")
    return ratings


def _rating(path: Path, number: int, row: dict[str, Any]) -> Rating:
    user, item, given = (row.get(column) for column in COLUMNS)
    value = math.nan
    with suppress(TypeError, ValueError):
        value = float(given)  # type: ignore[arg-type]
    if user in (None, "") or item in (None, "") or not math.isfinite(value):
        raise InvalidInput(f"{path}:{number}: user {user!r}, item {item!r}, rating {given!r} is no rating")
    return Rating(str(user), str(item), value)


def _require(path: Path, columns: Iterable[str]) -> None:
    found = list(columns)
    if missing := [column for column in COLUMNS if column not in found]:
        raise InvalidInput(f"{path}: there is no column {', '.join(missing)}, but {', '.join(found) or 'none'}")


def _csv(path: Path) -> Iterator[tuple[int, dict[str, Any]]]:
    with path.open(encoding="utf-8-sig", newline="") as stream:
        rows = csv.DictReader(stream)
        _require(path, rows.fieldnames or [])
        try:
            for row in rows:
                yield rows.line_num, row
        except csv.Error as error:
            raise InvalidInput(f"{path}:{rows.line_num}: {error}") from error


def _jsonl(path: Path) -> Iterator[tuple[int, dict[str, Any]]]:
    with path.open(encoding="utf-8-sig") as stream:
        for number, line in enumerate(stream, 1):
            try:
                row = json.loads(line)
            except (ValueError, RecursionError) as error:
                raise InvalidInput(f"{path}:{number}: not JSON") from error
            if not isinstance(row, dict):
                raise InvalidInput(f"{path}:{number}: not an object with {', '.join(COLUMNS)}")
            _require(path, row)
            yield number, row


def _parquet(path: Path) -> Iterator[tuple[int, dict[str, Any]]]:
    try:
        from pyarrow import ArrowException, parquet
    except ImportError as error:
        raise InvalidInput(f"{path} needs pyarrow: install the extra `parquet`") from error
    try:
        with parquet.ParquetFile(path) as file:
            _require(path, file.schema_arrow.names)
            rows = (row for batch in file.iter_batches(columns=list(COLUMNS)) for row in batch.to_pylist())
            yield from enumerate(rows, 1)
    except ArrowException as error:
        raise InvalidInput(f"{path} is no Parquet file: {' '.join(str(error).split())}") from error
