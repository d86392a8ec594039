"""The interface of a model: from inputs to items, from items to predictions."""

from abc import ABC, abstractmethod
from collections.abc import Generator, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import Any, ClassVar, Generic, TypeVar

from pydantic import BaseModel

from ..errors import ModelUnavailableError
from .batching import BatchLimits, Item

InputT = TypeVar("InputT")
ParametersT = TypeVar("ParametersT", bound=BaseModel)
OutputT = TypeVar("OutputT")


@contextmanager
def loading(path: Path) -> Generator[Path]:
    """Convert the exceptions of a block that loads a model's file to ModelUnavailableError with one line."""
    try:
        yield path
    except FileNotFoundError:
        raise ModelUnavailableError(f"there is no model at {path}: make one with the command train") from None
    except Exception as error:
        raise ModelUnavailableError(f"{path} cannot be loaded: {type(error).__name__}") from error


class InferenceModel(ABC, Generic[InputT, ParametersT, OutputT]):
    """A loaded model.

    Two threads call `preprocess`, one of them for large requests; up to `parallel_batches` call `predict_batch`.
    """

    name: str
    revision: str | None
    limits = BatchLimits()
    parallel_batches: int = 1
    """Batches that may be computed at the same time, each by a thread of its own."""
    wait_for_followers: bool = True
    """Whether to wait briefly for the clients just answered, because one large batch is faster than two."""
    nest_single_output: ClassVar[bool] = False
    """Whether a single input is answered with a list of one prediction, as clients of this task expect."""
    columns: ClassVar[tuple[str, ...]] = ("text",)
    """Columns of a file that hold the input."""

    def check_request(self, inputs: Sequence[InputT], parameters: ParametersT) -> None:
        """Refuse inputs that are too much for one request of a client. Called before `preprocess`; must be fast.

        Raises:
            InvalidInputError: The inputs together would take too much memory or time.
        """

    def is_large(self, inputs: Sequence[InputT]) -> bool:
        """Return whether inputs take so long to prepare that those of others must not wait for them.

        Called before `check_request`, for one request after the other; must be fast.

        Raises:
            InvalidInputError: The model cannot take an input.
        """
        return False

    @abstractmethod
    def preprocess(self, inputs: Sequence[InputT], parameters: ParametersT) -> list[Item]:
        """Return an item for each input.

        Raises:
            InvalidInputError: The model cannot take an input.
            InvalidParameterError: The model cannot take a parameter.
        """

    @abstractmethod
    def predict_batch(self, items: Sequence[Item]) -> list[Any]:
        """Return a prediction for each item, in order. The items may belong to several requests."""

    def warm_up(self, inputs: Sequence[InputT], parameters: ParametersT) -> None:
        """Predict one input alone, then several together, before the first request. Raises what `predict` raises.

        Args:
            inputs: Examples of unlike length; the first one is predicted alone.
            parameters: Those of a request without any.
        """
        self.predict(inputs[:1], parameters)
        items = self.preprocess([*inputs, *inputs][:2], parameters)
        self.predict_batch([item for item in items if item.group == items[0].group])

    def is_deterministic(self, parameters: ParametersT) -> bool:
        """Return whether the same input always gives the same prediction, which may then be cached."""
        return True

    @staticmethod
    def parse_text(text: str) -> Any:
        """Return the input for a command line argument, a line of a file or a cell. By default the text itself.

        The texts of several columns are a JSON array.
        """
        return text

    def predict(self, inputs: Sequence[InputT], parameters: ParametersT) -> list[OutputT]:
        """Return a prediction for each input, in order, computed in batches within `limits`.

        Raises:
            InvalidInputError: The model cannot take an input or a parameter.
        """
        predictions: dict[int, OutputT] = {}
        items = list(enumerate(self.preprocess(inputs, parameters)))
        batches = list(self.limits.split(items, lambda numbered: numbered[1]))
        computed = self.predict_batches([[item for _, item in batch] for batch in batches])
        for batch, results in zip(batches, computed, strict=True):
            predictions |= zip((number for number, _ in batch), results, strict=True)
        return [predictions[number] for number in range(len(inputs))]

    def predict_batches(self, batches: Sequence[Sequence[Item]]) -> Iterator[list[Any]]:
        """Yield the predictions of each batch, in order; `parallel_batches` are computed at the same time."""
        if min(len(batches), self.parallel_batches) < 2:
            yield from map(self.predict_batch, batches)
            return
        threads = ThreadPoolExecutor(self.parallel_batches)
        try:
            yield from threads.map(self.predict_batch, batches)
        finally:  # Ctrl-C must not wait for batches that have not begun
            threads.shutdown(cancel_futures=True)
