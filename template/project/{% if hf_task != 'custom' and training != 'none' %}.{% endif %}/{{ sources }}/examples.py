"""Examples to learn from and to judge by, from files or the hub."""

import hashlib
import zlib
from pathlib import Path
from typing import Any, NamedTuple

import datasets
from datasets import Dataset, Image, load_dataset

from .predictor import InvalidInput
from .recipe import Recipe

READERS = {".csv": "csv", ".jsonl": "json", ".ndjson": "json", ".parquet": "parquet"}
"""What `datasets` reads a file with, by the file's ending."""


class Examples(NamedTuple):
    """What a training is about."""

    all: Dataset
    learned: Dataset
    held_out: Dataset
    digest: str
    """SHA-256 of all of them, in order."""


def read_examples(recipe: Recipe, cache: Path) -> Examples:
    """The examples that a recipe names, in two parts; of files, the cache holds a copy that need not fit into memory.

    Which part one is in follows from its first column: so no model has learned from what the next one is judged by.
    Raises InvalidInput and OSError.
    """
    found = _columns(_read(recipe, cache), recipe)
    digest = hashlib.sha256()
    parts: tuple[list[int], list[int]] = ([], [])
    row: Any
    for number, row in enumerate(found):
        digest.update(repr(sorted(row.items())).encode())
        for column in recipe.COLUMNS:
            if row[column] in (None, "", []):
                raise InvalidInput(f"{recipe.data}: example {number + 1} has no {getattr(recipe, column)}")
        part = zlib.crc32(repr(row[recipe.COLUMNS[0]]).encode()) / 2**32
        parts[part < recipe.holdout].append(number)
    if not all(parts):
        raise InvalidInput(f"{recipe.data}: {len(found)} examples are too few to keep {recipe.holdout:g} of them apart")
    return Examples(found, found.select(parts[0]), found.select(parts[1]), digest.hexdigest())


def _read(recipe: Recipe, cache: Path) -> Any:
    if not recipe.data:
        wanted = ", ".join(recipe.COLUMNS)
        raise InvalidInput(f"data: name a CSV, JSONL or Parquet file or a data set of the hub, with {wanted}")
    path = Path(recipe.data)
    reader = READERS.get(path.suffix.lower())
    if reader and not path.is_file():
        raise InvalidInput(f"{path}: there is no such file")
    if path.exists() and not reader:
        raise InvalidInput(f"{path}: unknown ending; one of {', '.join(READERS)} is known")
    datasets.disable_progress_bars()
    datasets.logging.set_verbosity(datasets.logging.CRITICAL)  # what it logs is what it raises
    try:
        if reader:
            return load_dataset(reader, data_files=str(path), split="train", cache_dir=str(cache))
        return load_dataset(recipe.data, recipe.subset, split=recipe.split, revision=recipe.revision)
    except Exception as error:  # each reader and the hub have errors of their own, often around the one that says why
        reason = " ".join(str(error.__cause__ or error).split())[:300]
        raise InvalidInput(f"{recipe.data} cannot be read: {reason}") from error


def _columns(found: Any, recipe: Recipe) -> Any:
    """The columns that the recipe names, under the names that the learner knows them by, files of images unopened."""
    wanted = {column: getattr(recipe, column) for column in recipe.COLUMNS}
    if missing := [given for given in wanted.values() if given not in found.column_names]:
        there = ", ".join(found.column_names) or "none"
        raise InvalidInput(f"{recipe.data}: there is no column {', '.join(missing)}, but {there}")
    found = found.select_columns(list(wanted.values()))
    found = found.rename_columns({given: column for column, given in wanted.items() if given != column})
    for column, feature in found.features.items():
        if isinstance(feature, Image):
            found = found.cast_column(column, Image(decode=False))
    return found
