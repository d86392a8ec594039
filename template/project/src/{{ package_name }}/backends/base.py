"""The interface of a backend: a batch of arrays in, a batch of arrays out."""

from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from typing import Any, Generic, Self

import numpy as np

from ..base_settings import ServiceSettings
from ..inference.batching import BatchLimits, Item
from ..inference.model import InferenceModel, InputT, OutputT, ParametersT


class Backend(ABC):
    """Runs the graph of a model."""

    parallel_batches: int = 1
    """Threads that may call `run` at the same time."""
    wait_for_followers: bool = True
    """Whether one large batch is so much faster than two that it is worth waiting for the clients just answered."""

    @abstractmethod
    def run(self, batch: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
        """Return the outputs of the graph by name, a row for each row of the inputs."""

    def together(self) -> AbstractContextManager[None]:
        """Compute each batch of a block as one of several, so that the same batches always give the same bytes."""
        return nullcontext()


@dataclass(frozen=True)
class ModelFiles:
    """The files that a model needs beside the graph of its backend."""

    name: str
    revision: str | None
    preprocessor: Any
    """Tokenizer or image processor of the task."""
    facts: Mapping[str, Any]
    """Values from the model's configuration that the task needs, such as its labels."""


class BackendModel(InferenceModel[InputT, ParametersT, OutputT], Generic[InputT, ParametersT, OutputT]):
    """A model whose predictions a backend computes."""

    def __init__(self, files: ModelFiles, backend: Backend, limits: BatchLimits) -> None:
        self.name, self.revision = files.name, files.revision
        self.limits = limits
        self.parallel_batches = backend.parallel_batches
        self.wait_for_followers = backend.wait_for_followers
        self.backend = backend

    @classmethod
    @abstractmethod
    def load(cls, files: ModelFiles, backend: Backend, settings: ServiceSettings) -> Self:
        """Return the model, ready to predict.

        Raises:
            ModelUnavailableError: The model cannot do this task.
        """

    @abstractmethod
    def collate(self, items: Sequence[Item]) -> dict[str, np.ndarray]:
        """Return the inputs of the graph by name, each with a row for each item."""

    @abstractmethod
    def postprocess(self, outputs: Mapping[str, np.ndarray], items: Sequence[Item]) -> list[OutputT]:
        """Return a prediction for each item from the outputs of the graph."""

    def predict_batches(self, batches: Sequence[Sequence[Item]]) -> Iterator[list[Any]]:
        """Yield the predictions of each batch, in order; `parallel_batches` are computed at the same time."""
        several = min(len(batches), self.parallel_batches) > 1
        with self.backend.together() if several else nullcontext():
            yield from super().predict_batches(batches)

    def predict_batch(self, items: Sequence[Item]) -> list[OutputT]:
        """Return a prediction for each item, in order."""
        return self.postprocess(self.backend.run(self.collate(items)), items)
