"""Prediction for chunks of records, where a bad record does not affect the others."""

import os
from collections.abc import Callable, Generator, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any, Protocol

from pydantic import BaseModel

from ..errors import InvalidInputError, InvalidParameterError
from .formats.record import MAX_CHUNK_BYTES, Record, shorten


class SupportsPredict(Protocol):
    """The source of predictions: a loaded InferenceModel, or the engine of the API."""

    def parse_text(self, text: str) -> Any:
        """Return the input that the text of a record stands for."""

    def predict(self, inputs: Sequence[Any], parameters: Any) -> list[Any]:
        """Return a prediction for each input, in order."""


def predict_records(
    model: SupportsPredict, chunk: Sequence[Record], parameters: BaseModel, parse: Callable[[str], Any] | None = None
) -> Iterator[tuple[Record, Any]]:
    """Yield each record with its prediction, or with None and an error in the record.

    A chunk that fails as a whole is computed again record by record, so that only the bad ones fail.

    Args:
        model: What computes the predictions.
        chunk: The records, some of which may have an error already.
        parameters: The parameters of all predictions.
        parse: Returns the input for the text of a record; by default the model's `parse_text`.

    Raises:
        InvalidParameterError: The model cannot take a parameter.
    """
    parse = parse or model.parse_text
    portion: list[Record] = []
    inputs: list[tuple[Record, Any]] = []
    size = 0
    for record in chunk:
        portion.append(record)
        if record.error is None:
            try:
                inputs.append((record, parse(record.text)))
            except InvalidInputError as error:
                _fail(record, error)
            else:
                size += _bytes(inputs[-1][1])
        if size > MAX_CHUNK_BYTES:
            yield from _predict_portion(model, portion, inputs, parameters)
            portion, inputs, size = list[Record](), list[tuple[Record, Any]](), 0
    yield from _predict_portion(model, portion, inputs, parameters)


def _predict_portion(
    model: SupportsPredict, portion: Sequence[Record], inputs: Sequence[tuple[Record, Any]], parameters: BaseModel
) -> Iterator[tuple[Record, Any]]:
    predictions: dict[int, Any] = {}
    try:
        computed = model.predict([each for _, each in inputs], parameters) if inputs else []
        predictions = {record.number: each for (record, _), each in zip(inputs, computed, strict=True)}
    except InvalidParameterError:
        raise
    except InvalidInputError:
        for record, each in inputs:
            try:
                predictions[record.number] = model.predict([each], parameters)[0]
            except InvalidInputError as error:
                _fail(record, error)
    for record in portion:
        yield record, predictions.get(record.number)


def _fail(record: Record, error: InvalidInputError) -> None:
    """Note why a record cannot be used; the message may quote the record, which can be long."""
    record.error = shorten(str(error))


def _bytes(value: Any) -> int:
    """Return the memory of an input that is a file; that of a text is part of its record."""
    return len(value) if isinstance(value, bytes) else 0


@contextmanager
def replace_file(path: Path) -> Generator[IO[bytes]]:
    """Open a stream that replaces a local file when the block ends, and is discarded if the block fails.

    Raises:
        InvalidInputError: The folder of the file does not exist.
    """
    if not path.parent.is_dir():
        raise InvalidInputError(f"{path}: there is no folder {path.parent}")
    temporary = path.with_name(f".{path.name}.{os.getpid()}.part")
    try:
        with temporary.open("wb") as stream:
            yield stream
        temporary.replace(path)
    finally:
        temporary.unlink(missing_ok=True)
