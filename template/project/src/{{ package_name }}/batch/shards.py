"""Shards of a prediction over a file: several processes compute parts, and one merges them in the input's order."""

import heapq
import json
import re
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from functools import partial
from pathlib import Path
from typing import IO, Any, NamedTuple, Self

from ..errors import InvalidInputError
from .formats.record import Record, to_json_line

MAX_SHARDS = 500
"""Maximum number of shards: a merge opens the parts of all of them."""


class Shard(NamedTuple):
    """A share of a file. It takes whole chunks of records, so that its batches are those of a single run."""

    number: int
    """The first is 1."""
    count: int

    @classmethod
    def parse(cls, text: str) -> Self:
        """Return the shard that a text such as 3/8 names.

        Raises:
            InvalidInputError: It names none.
        """
        found = re.fullmatch(r"([0-9]{1,4})/([0-9]{1,4})", text)
        shard = cls(int(found[1]), int(found[2])) if found else cls(0, 0)
        if not 1 <= shard.number <= shard.count <= MAX_SHARDS:
            raise InvalidInputError(f"{text!r} is no shard: write 3/8 for the third of eight, of at most {MAX_SHARDS}")
        return shard

    def holds(self, chunk: int) -> bool:
        """Return whether it takes the chunk of this index."""
        return chunk % self.count == self.number - 1


class Parts:
    """The parts of an output file: one for each shard, in the folder OUTPUT.parts.

    The first line of a part says what was computed. Each further one has the number of a record, its prediction and its
    error.
    """

    def __init__(self, target: Path, count: int, run: dict[str, Any]) -> None:
        """Read and write nothing yet.

        Args:
            target: The output file.
            count: Number of shards.
            run: What all shards and the merge must agree on, as JSON types.
        """
        self._folder, self._count, self._run = target.with_name(f"{target.name}.parts"), count, run

    def begin(self, shard: Shard) -> Path:
        """Discard what an earlier run left of a shard, and return the path of its part.

        Raises:
            InvalidInputError: The folder of the output does not exist.
        """
        if not self._folder.parent.is_dir():
            raise InvalidInputError(f"{self._folder}: there is no folder {self._folder.parent}")
        self._folder.mkdir(exist_ok=True)
        path = self._path(shard.number)
        for earlier in (path, *self._folder.glob(f".{path.name}.*")):
            earlier.unlink(missing_ok=True)
        return path

    def writer(self, stream: IO[bytes], model: str) -> "PartWriter":
        """Return a writer of a part that a model computes, which a text identifies."""
        return PartWriter(stream, {**self._run, "model": model})

    def open(self) -> Callable[[Sequence[Record]], Iterator[tuple[Record, Any]]]:
        """Open the parts of all shards.

        Returns:
            A function that yields the next records of the input, each with its prediction, or with None and an error in
            the record. It raises InvalidInputError if the parts lack one.

        Raises:
            InvalidInputError: One is missing, or was computed from another input, by another model or in another way.
        """
        paths = {number: self._path(number) for number in range(1, self._count + 1)}
        if missing := [str(number) for number, path in paths.items() if not path.is_file()]:
            raise InvalidInputError(f"{self._folder}: run these shards of {self._count} again: {', '.join(missing)}")
        parts = {path: _read(path) for path in paths.values()}
        models = set[str]()
        for path, lines in parts.items():
            run = next(lines, None)
            if not isinstance(run, dict) or {**run, "model": None} != {**self._run, "model": None}:
                raise InvalidInputError(f"{path}: of another input or other options; run this shard again")
            models.add(str(run["model"]))
        if len(models) > 1:
            found = " and ".join(sorted(models)[:2])
            raise InvalidInputError(f"{self._folder}: of two models, {found}; select one and run all shards again")
        found = heapq.merge(*parts.values(), key=lambda line: line[0])
        return partial(self._outcomes, found)

    def remove(self) -> None:
        """Remove the parts, once they are merged."""
        for number in range(1, self._count + 1):
            self._path(number).unlink(missing_ok=True)
        with suppress(OSError):  # other files are in it
            self._folder.rmdir()

    def _outcomes(self, found: Iterator[Any], chunk: Sequence[Record]) -> Iterator[tuple[Record, Any]]:
        for record in chunk:
            number, prediction, error = next(found, (0, None, None))
            if number != record.number:
                raise InvalidInputError(f"{self._folder}: no line {record.number} of the input; run all shards again")
            record.error = error
            yield record, prediction

    def _path(self, number: int) -> Path:
        return self._folder / f"{number}-of-{self._count}.jsonl"


class PartWriter:
    """Writes a part: what was computed, then a line for each record."""

    def __init__(self, stream: IO[bytes], run: dict[str, Any]) -> None:
        """Write to a binary stream."""
        self._stream = stream
        stream.write(to_json_line(run))

    def write(self, record: Record, prediction: Any) -> None:
        """Write the number, the prediction and the error of a record."""
        self._stream.write(to_json_line([record.number, prediction, record.error]))

    def close(self) -> None:
        """Flush the stream."""
        self._stream.flush()


def _read(path: Path) -> Iterator[Any]:
    with path.open("rb") as stream:
        for line in stream:
            try:
                yield json.loads(line)
            except ValueError:
                raise InvalidInputError(f"{path}: damaged; run this shard again") from None
