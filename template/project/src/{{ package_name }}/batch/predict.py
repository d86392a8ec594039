"""Prediction for chunks of records, where a bad record does not affect the others."""

import os
from collections.abc import Callable, Generator, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any, Protocol

from pydantic import BaseModel

from ..errors import InvalidInputError, InvalidParameterError
from .formats.record import Record


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
    good: list[tuple[Record, Any]] = []
    for record in chunk:
        if record.error is None:
            try:
                good.append((record, parse(record.text)))
            except InvalidInputError as error:
                record.error = str(error)
    predictions: dict[int, Any] = {}
    try:
        computed = model.predict([each for _, each in good], parameters) if good else []
        predictions = {record.number: each for (record, _), each in zip(good, computed, strict=True)}
    except InvalidParameterError:
        raise
    except InvalidInputError:
        for record, each in good:
            try:
                predictions[record.number] = model.predict([each], parameters)[0]
            except InvalidInputError as error:
                record.error = str(error)
    for record in chunk:
        yield record, predictions.get(record.number)


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
