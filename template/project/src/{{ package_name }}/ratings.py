"""Ratings, which the example learns from. Delete this file with the example; updates never touch it."""

import csv
import json
import math
from collections.abc import Iterable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from .errors import InvalidInputError

COLUMNS = ("user", "item", "rating")


class Rating(NamedTuple):
    """How much a user likes an item: the higher, the more."""

    user: str
    item: str
    value: float


def make_ratings(users: int = 200, items: int = 60, tastes: int = 4, seed: int = 0) -> list[Rating]:
    """Generate ratings from 1 to 5 by users with a few tastes, each of whom has rated about a third of the items."""
    random = np.random.default_rng(seed)
    liking = random.random((users, tastes)) @ random.random((tastes, items))
    liking = 1 + 4 * (liking - liking.min()) / np.ptp(liking)
    rated = random.random((users, items)) < 0.3
    return [Rating(f"user-{user}", f"item-{item}", round(liking[user, item])) for user, item in np.argwhere(rated)]


def read_ratings(path: Path) -> list[Rating]:
    """Read the ratings in a CSV, JSONL or Parquet file with COLUMNS.

    Raises:
        InvalidInputError: The file does not hold ratings; the message names the row.
        OSError: The file cannot be read.
    """
    readers = {".csv": _csv, ".jsonl": _jsonl, ".ndjson": _jsonl, ".parquet": _parquet}
    if path.suffix.lower() not in readers:
        raise InvalidInputError(f"{path}: unknown file type; use {', '.join(readers)}")
    try:
        ratings = [_rating(path, number, row) for number, row in readers[path.suffix.lower()](path)]
    except UnicodeDecodeError as error:
        raise InvalidInputError(f"{path}: not UTF-8") from error
    if not ratings:
        raise InvalidInputError(f"{path} has no ratings")
    return ratings


def _rating(path: Path, number: int, row: dict[str, Any]) -> Rating:
    user, item, given = (row.get(column) for column in COLUMNS)
    value = math.nan
    with suppress(TypeError, ValueError):
        value = float(given)  # type: ignore[arg-type]
    if user in (None, "") or item in (None, "") or not math.isfinite(value):
        raise InvalidInputError(f"{path}:{number}: not a rating: user {user!r}, item {item!r}, rating {given!r}")
    return Rating(str(user), str(item), value)


def _require(path: Path, columns: Iterable[str]) -> None:
    found = list(columns)
    if missing := [column for column in COLUMNS if column not in found]:
        present = ", ".join(found) or "none"
        raise InvalidInputError(f"{path}: no column {', '.join(missing)}; its columns are {present}")


def _csv(path: Path) -> Iterator[tuple[int, dict[str, Any]]]:
    with path.open(encoding="utf-8-sig", newline="") as stream:
        rows = csv.DictReader(stream)
        _require(path, rows.fieldnames or [])
        try:
            for row in rows:
                yield rows.line_num, row
        except csv.Error as error:
            raise InvalidInputError(f"{path}:{rows.line_num}: {error}") from error


def _jsonl(path: Path) -> Iterator[tuple[int, dict[str, Any]]]:
    with path.open(encoding="utf-8-sig") as stream:
        for number, line in enumerate(stream, 1):
            try:
                row = json.loads(line)
            except (ValueError, RecursionError) as error:
                raise InvalidInputError(f"{path}:{number}: not JSON") from error
            if not isinstance(row, dict):
                raise InvalidInputError(f"{path}:{number}: not an object with {', '.join(COLUMNS)}")
            _require(path, row)
            yield number, row


def _parquet(path: Path) -> Iterator[tuple[int, dict[str, Any]]]:
    try:
        from pyarrow import ArrowException, parquet
    except ImportError as error:
        raise InvalidInputError(f"{path} needs pyarrow: install the extra `parquet`") from error
    try:
        with parquet.ParquetFile(path) as file:
            _require(path, file.schema_arrow.names)
            rows = (row for batch in file.iter_batches(columns=list(COLUMNS)) for row in batch.to_pylist())
            yield from enumerate(rows, 1)
    except ArrowException as error:
        raise InvalidInputError(f"{path} is not a Parquet file: {' '.join(str(error).split())}") from error
