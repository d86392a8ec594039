"""What the task takes and gives: a user and what they might like. Write your own task here."""

from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field
from typing_extensions import TypedDict

Input = Annotated[str, Field(min_length=1, description="A user.", examples=["user-7"])]


class Recommendation(TypedDict):
    """An item and the rating that the user would give it, as far as the model can tell."""

    item: str
    score: float


Prediction = list[Recommendation]

NESTED = False
"""Whether a single input is answered with a list of one prediction."""


class Parameters(BaseModel):
    """What may be changed in a request."""

    model_config = ConfigDict(extra="forbid")

    top_k: int = Field(5, ge=1, le=100, description="How many items, best first.")
    include_seen: bool = Field(False, description="Also items that the user has rated.")


def from_text(text: str) -> str:
    """The input that a line of text, a field or an argument stands for."""
    return text
