"""Measured irises, which the model learns from."""

from typing import Annotated, Any, NamedTuple

from pydantic import Field, PositiveFloat
from sklearn.datasets import load_iris


class Iris(NamedTuple):
    """An iris whose species is known."""

    sepal_length: PositiveFloat
    sepal_width: PositiveFloat
    petal_length: PositiveFloat
    petal_width: PositiveFloat
    species: Annotated[str, Field(min_length=1)]


def known_irises() -> list[Iris]:
    """Return the irises that Fisher published."""
    found: Any = load_iris()
    names = found.target_names[found.target].tolist()
    return [Iris._make([*row, species]) for row, species in zip(found.data.tolist(), names, strict=True)]
