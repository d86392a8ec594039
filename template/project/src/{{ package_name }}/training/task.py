"""The interface between a training task and the machinery that runs it."""

import hashlib
from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence, Sized
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar, Generic, NamedTuple, Protocol, TypeVar

from ..base_settings import ServiceSettings
from ..errors import InvalidInputError
from ..registry.selection import BaseFiles
from .config import TrainingConfig

ExampleT = TypeVar("ExampleT")

WORKSPACE = "training"
"""Folder in `model_cache` with copies of the examples, checkpoints and the new model, until that is published."""


class TrainingData(Protocol):
    """The examples of a training."""

    @property
    def train(self) -> Sized:
        """The examples that the model learns from."""

    @property
    def held_out(self) -> Sized:
        """The examples that models are evaluated on. No model may have learned from them."""


def split_fraction(key: str) -> float:
    """Return a number from 0 to 1 that depends on the key alone: hold out the examples for which it is small."""
    return int.from_bytes(hashlib.blake2b(key.encode(), digest_size=6).digest()) / 2**48


class Split(NamedTuple, Generic[ExampleT]):
    """Examples to train on, and those held out for evaluation."""

    train: list[ExampleT]
    held_out: list[ExampleT]


def split(examples: Sequence[ExampleT], key: Callable[[ExampleT], str], holdout: float) -> Split[ExampleT]:
    """Hold out about the fraction `holdout` of the examples, chosen by a hash of their keys.

    Raises:
        InvalidInputError: There are too few examples.
    """
    parts = Split[ExampleT]([], [])
    for each in examples:
        parts[split_fraction(key(each)) < holdout].append(each)
    if not all(parts):
        raise InvalidInputError(f"{len(examples)} examples are too few to hold out {holdout:g}")
    return parts


@dataclass(frozen=True)
class Metric:
    """The metric that decides whether a new model is published."""

    name: str
    """Its key in what `evaluate` returns."""
    higher_is_better: bool
    relative_margin: bool = False
    """Whether `margin` of the configuration is a fraction of the previous model's value."""


class ModelRegressionError(RuntimeError):
    """The new model is worse than the previous one; the message says by how much."""


class TrainingInterruptedError(RuntimeError):
    """The training was told to end before it had ended; the message says where it resumes."""


ConfigT = TypeVar("ConfigT", bound=TrainingConfig)
DataT = TypeVar("DataT", bound=TrainingData)
ModelT = TypeVar("ModelT")


class TrainingTask(ABC, Generic[ConfigT, DataT, ModelT]):
    """The task of a training: its examples, its computation and its evaluation.

    `run.py` calls the methods in this order: `setup`, `load_data`, `train`, `save`, then `load` and `evaluate` for the
    new model and for the previous one, and `teardown`. The rest is its work: one training at a time, the comparison
    with the previous model, the report, and the publication in the registry.

    Methods may raise InvalidInputError for a configuration or examples that cannot be used, and ModelUnavailableError.

    Args:
        config: The configuration, of the type `Config`.
        settings: The settings of the project.
        base: The base model, or None if training starts from nothing.
        progress: Called with each line that tells the progress.
    """

    Config: ClassVar[type[TrainingConfig]]
    """The type of training.yaml."""

    metric: ClassVar[Metric]

    packages: ClassVar[tuple[str, ...]] = ()
    """Distributions whose versions the report lists."""

    is_main_process: bool = True
    """Whether this process reports and publishes; the others of a distributed training only compute."""

    def __init__(
        self,
        config: ConfigT,
        settings: ServiceSettings,
        base: BaseFiles | None = None,
        progress: Callable[[str], None] = print,
    ) -> None:
        """Keep the arguments; load nothing yet."""
        self.config, self.settings, self.base = config, settings, base
        self._progress = progress

    def log(self, line: str) -> None:
        """Report the progress, in the main process."""
        if self.is_main_process:
            self._progress(line)

    def setup(self) -> None:
        """Check what the training needs, and join the other processes of a distributed training."""

    def teardown(self) -> None:
        """Undo `setup`."""

    def synchronize(self) -> None:
        """Wait for the other processes of a distributed training."""

    @abstractmethod
    def load_data(self, cache: Path) -> DataT:
        """Read the examples and hold out a part of them.

        Choose the held-out examples with `split`, so that they stay the same when examples are added.

        Args:
            cache: Folder for files that are kept until the training ends.
        """

    @abstractmethod
    def train(self, data: DataT, workspace: Path) -> ModelT:
        """Train a model.

        Args:
            data: The examples.
            workspace: Folder that stays until a model is published, for checkpoints.
        """

    @abstractmethod
    def save(self, model: ModelT, folder: Path) -> None:
        """Write the files of a version to an empty folder, as `Model.load` reads them."""

    @abstractmethod
    def load(self, folder: Path, data: DataT) -> ModelT:
        """Load a model from the files of a version, to evaluate it."""

    @abstractmethod
    def evaluate(self, model: ModelT, data: DataT) -> dict[str, float]:
        """Return the metrics of a model on the held-out examples."""

    def digest(self, data: DataT) -> str | None:
        """Return the SHA-256 of the examples for the report, or None."""
        return None

    def details(self, model: ModelT) -> dict[str, Any]:
        """Return more to write to the report of a trained model, as JSON types."""
        return {}
