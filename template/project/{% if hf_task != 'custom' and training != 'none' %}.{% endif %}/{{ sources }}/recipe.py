"""What a training.yaml may say, whatever is learned."""

from typing import Annotated, ClassVar, Literal

from pydantic import Field

from .configuration import Configuration


class Recipe(Configuration):
    """How to train: training.yaml says what each means. A subclass adds a field for each of its columns."""

    COLUMNS: ClassVar[tuple[str, ...]]
    """What an example has. The first column decides which examples are held out."""

    data: str | None = None
    subset: str | None = None
    split: str = "train"
    revision: str | None = None

    seed: Annotated[int, Field(ge=0, lt=2**32)] = 0
    holdout: Annotated[float, Field(gt=0, lt=1)] = 0.1
    margin: Annotated[float, Field(ge=0)] = 0.01

    epochs: Annotated[float, Field(gt=0, le=1000)] = 3
    batch_size: Annotated[int, Field(ge=1)] = 16
    accumulate: Annotated[int, Field(ge=1)] = 1
    learning_rate: Annotated[float, Field(gt=0, lt=1)] = 2e-5
    warmup: Annotated[float, Field(ge=0, lt=1)] = 0.1
    precision: Literal["fp32", "bf16", "fp16"] = "fp32"

    checkpoints: Annotated[int, Field(ge=2)] = 10
    report_to: tuple[Literal["mlflow", "tensorboard"], ...] = ()
