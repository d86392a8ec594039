"""The configuration of a training with transformers' Trainer."""

from typing import Annotated, ClassVar, Literal

from pydantic import Field

from .config import TrainingConfig


class TrainerConfig(TrainingConfig):
    """The fields of every task of the hub, which training.yaml explains. A subclass adds a field for each column."""

    COLUMNS: ClassVar[tuple[str, ...]]
    """The columns of an example. The hash of the first column decides which examples are held out."""

    data: str | None = None
    subset: str | None = None
    split: str = "train"
    revision: str | None = None

    epochs: Annotated[float, Field(gt=0, le=1000)] = 3
    batch_size: Annotated[int, Field(ge=1)] = 16
    accumulate: Annotated[int, Field(ge=1)] = 1
    learning_rate: Annotated[float, Field(gt=0, lt=1)] = 2e-5
    warmup: Annotated[float, Field(ge=0, lt=1)] = 0.1
    precision: Literal["fp32", "bf16", "fp16"] = "fp32"

    checkpoints: Annotated[int, Field(ge=2)] = 10
    report_to: tuple[Literal["mlflow", "tensorboard"], ...] = ()
