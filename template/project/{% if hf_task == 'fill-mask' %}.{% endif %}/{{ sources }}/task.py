"""What the task takes and gives: the words that fit a mask."""

from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field
from typing_extensions import TypedDict

Input = Annotated[str, Field(min_length=1, description="A text with one mask.", examples=["Paris is in <mask>."])]


class Fill(TypedDict):
    """A word for the mask, how sure the model is of it, and the text with it."""

    score: float
    token: int
    token_str: str
    sequence: str


Prediction = list[Fill]

NESTED = False
"""Whether a single input is answered with a list of one prediction, as clients of this task expect."""


class Parameters(BaseModel):
    """What may be changed in a request; the names are those of the hub's inference API."""

    model_config = ConfigDict(extra="forbid")

    top_k: int = Field(5, ge=1, le=1000, description="How many words, best first.")
    targets: list[str] | None = Field(None, min_length=1, max_length=1000, description="Choose among these words only.")


def from_text(text: str) -> str:
    """The input that a line of text, a field or an argument stands for."""
    return text
