"""Examples for training and evaluation, from files or data sets of the hub."""

import hashlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import datasets
import pyarrow
import pyarrow.parquet
from datasets import ClassLabel, Dataset, Features, Image, load_dataset

from ..batch.formats import EXTENSIONS, Format, read_rows
from ..errors import InvalidInputError
from .task import split_fraction
from .trainer_config import TrainerConfig

FORMATS: dict[str, Format] = {extension: form for extension, form in EXTENSIONS.items() if form != "lines"}
"""The format of examples for each file name extension."""

WRITTEN_ROWS = 32
"""Examples held in memory until they are copied to the cache; each may be as large as a line may be."""

UNREADABLE = (pyarrow.ArrowException, ValueError, KeyError, TypeError)
"""What reading the schema of a damaged file raises."""

WORDS = ("label",)
"""Columns whose values are words: a number or a truth value becomes the word that JSON writes for it."""


class Examples(NamedTuple):
    """The examples of a training."""

    all: Dataset
    train: Dataset
    held_out: Dataset
    digest: str
    """SHA-256 of all examples, in order."""


def read_examples(config: TrainerConfig, cache: Path) -> Examples:
    """Read the examples that a configuration names, and hold out a part of them.

    The hash of the first column decides which examples are held out: so they stay the same when examples are added,
    and no earlier model has learned from them.

    Args:
        config: The configuration.
        cache: Folder for a copy of the examples in files, which need not fit into memory.

    Raises:
        InvalidInputError: The examples cannot be read, or lack a column or a value.
    """
    found = _select_columns(_read(config, cache), config)
    digest = hashlib.sha256()
    parts: tuple[list[int], list[int]] = ([], [])
    row: Any
    for number, row in enumerate(found):
        digest.update(repr(sorted(row.items())).encode())
        for column in config.COLUMNS:
            if row[column] in (None, "", []):
                raise InvalidInputError(f"{config.data}: example {number + 1} has no {getattr(config, column)}")
        parts[split_fraction(repr(row[config.COLUMNS[0]])) < config.holdout].append(number)
    if not all(parts):
        raise InvalidInputError(f"{config.data}: {len(found)} examples are too few to hold out {config.holdout:g}")
    return Examples(found, found.select(parts[0]), found.select(parts[1]), digest.hexdigest())


def _read(config: TrainerConfig, cache: Path) -> Any:
    if not config.data:
        columns = ", ".join(config.COLUMNS)
        raise InvalidInputError(f"data: name a CSV, JSONL or Parquet file or a data set of the hub, with {columns}")
    path = Path(config.data)
    form = FORMATS.get(path.suffix.lower())
    if form and not path.is_file():
        raise InvalidInputError(f"{path}: no such file")
    if path.exists() and not form:
        raise InvalidInputError(f"{path}: unknown file type; use {', '.join(FORMATS)}")
    datasets.disable_progress_bars()
    datasets.logging.set_verbosity(datasets.logging.CRITICAL)  # it logs the errors that it raises
    try:
        if form:
            state = path.stat()
            columns = tuple((column, getattr(config, column)) for column in config.COLUMNS)
            options = {"path": str(path), "form": form, "columns": columns, "state": (state.st_size, state.st_mtime_ns)}
            return Dataset.from_generator(
                _rows, cache_dir=str(cache), gen_kwargs=options, writer_batch_size=WRITTEN_ROWS
            )
        return load_dataset(config.data, config.subset, split=config.split, revision=config.revision)
    except Exception as error:  # readers and the hub raise errors of their own, and the cause is the useful message
        cause = error.__cause__ or error
        if isinstance(cause, InvalidInputError):
            raise cause from None
        reason = " ".join(str(cause).split())[:300]
        raise InvalidInputError(f"{config.data} cannot be read: {reason}") from error


def _rows(path: str, form: Format, columns: tuple[tuple[str, str], ...], state: tuple[int, int]) -> Iterator[Any]:
    """Yield the rows of a file, which is read as `predict` reads it: what is in a CSV file is text.

    Args:
        path: The file.
        form: Its format.
        columns: The name of each column for the task, and in the file.
        state: Size and time of the file. A copy of the rows in the cache is used as long as they stay the same.

    Raises:
        InvalidInputError: The file cannot be used; the message names the row.
    """
    try:
        classes = _classes(path) if form == "parquet" else {}
        with Path(path).open("rb") as stream:
            row = None
            for row in read_rows(stream, form, [name for _, name in columns]):
                if row.error:
                    raise InvalidInputError(f"row {row.number}: {row.error}")
                fields = row.fields
                yield {each: _value(fields[each], classes.get(each), column in WORDS) for column, each in columns}
            if row is None:
                raise InvalidInputError("no examples")
    except InvalidInputError as error:
        raise InvalidInputError(f"{path}: {error}") from error


def _value(value: Any, classes: ClassLabel | None, is_word: bool) -> Any:
    if value is None or isinstance(value, str):
        return value
    if classes and isinstance(value, int):
        return classes.int2str(value)
    if isinstance(value, bool):
        return str(value).lower() if is_word else value
    return str(value) if is_word and isinstance(value, (int, float)) else value


def _classes(path: str) -> dict[str, ClassLabel]:
    """Return the columns of a Parquet file that hold numbers of classes, whose names `datasets` has written into it."""
    try:
        features = Features.from_arrow_schema(pyarrow.parquet.read_schema(path))
    except UNREADABLE:  # damaged, which reading it says, or of no names
        return {}
    return {name: feature for name, feature in features.items() if isinstance(feature, ClassLabel)}


def _select_columns(found: Any, config: TrainerConfig) -> Any:
    """Return the columns that the configuration names, renamed to COLUMNS, with images as files."""
    names = {column: getattr(config, column) for column in config.COLUMNS}
    if missing := [name for name in names.values() if name not in found.column_names]:
        present = ", ".join(found.column_names) or "none"
        raise InvalidInputError(f"{config.data}: no column {', '.join(missing)}; its columns are {present}")
    found = found.select_columns(list(names.values()))
    found = found.rename_columns({name: column for column, name in names.items() if name != column})
    for column, feature in found.features.items():
        if isinstance(feature, Image):
            found = found.cast_column(column, Image(decode=False))
    return found
