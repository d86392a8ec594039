"""Examples for training and evaluation, from files or data sets of the hub."""

import hashlib
from pathlib import Path
from typing import Any, NamedTuple

import datasets
from datasets import Dataset, Image, load_dataset

from ..errors import InvalidInputError
from .task import split_fraction
from .trainer_config import TrainerConfig

READERS = {".csv": "csv", ".jsonl": "json", ".ndjson": "json", ".parquet": "parquet"}
"""The reader of `datasets` for each file name extension."""


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
    reader = READERS.get(path.suffix.lower())
    if reader and not path.is_file():
        raise InvalidInputError(f"{path}: no such file")
    if path.exists() and not reader:
        raise InvalidInputError(f"{path}: unknown file type; use {', '.join(READERS)}")
    datasets.disable_progress_bars()
    datasets.logging.set_verbosity(datasets.logging.CRITICAL)  # it logs the errors that it raises
    try:
        if reader:
            return load_dataset(reader, data_files=str(path), split="train", cache_dir=str(cache))
        return load_dataset(config.data, config.subset, split=config.split, revision=config.revision)
    except Exception as error:  # readers and the hub raise errors of their own, and the cause is the useful message
        reason = " ".join(str(error.__cause__ or error).split())[:300]
        raise InvalidInputError(f"{config.data} cannot be read: {reason}") from error


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
