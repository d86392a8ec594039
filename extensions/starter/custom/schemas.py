"""Inputs, parameters and outputs of the API: a user, and recommended items. Updates never touch this file."""

from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field
from typing_extensions import TypedDict

EXAMPLES = [f"user-{number}" for number in (7, 0, 1, 2, 3, 5, 8, 13)]
"""Users that the benchmark asks for, and the API's documentation shows."""

Input = Annotated[str, Field(min_length=1, description="A user.", examples=EXAMPLES)]


class Recommendation(TypedDict):
    """An item, and the rating that the user would give it by the model's estimate."""

    item: str
    score: float


Output = list[Recommendation]


class Parameters(BaseModel):
    """Parameters of a request."""

    model_config = ConfigDict(extra="forbid")

    top_k: int = Field(5, ge=1, le=100, description="Number of items, best first.")
    include_seen: bool = Field(False, description="Include items that the user has rated.")
