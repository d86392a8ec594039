"""Measurements of an iris, and its species."""

from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field
from typing_extensions import TypedDict


class Lengths(TypedDict):
    """An iris, in centimetres."""

    sepal_length: float
    sepal_width: float
    petal_length: float
    petal_width: float


EXAMPLE = {"sepal_length": 5.1, "sepal_width": 3.5, "petal_length": 1.4, "petal_width": 0.2}
Input = Annotated[Lengths, Field(examples=[EXAMPLE])]


class Output(TypedDict):
    """The most likely species, and the probability of each that was asked for."""

    species: str
    probabilities: dict[str, float]


class Parameters(BaseModel):
    """Parameters of a request."""

    model_config = ConfigDict(extra="forbid")

    digits: int = Field(4, ge=1, le=10, description="Digits of a probability.")
