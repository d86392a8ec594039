"""What the task takes and gives: labels of a text with their scores."""

from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field
from typing_extensions import TypedDict

Input = Annotated[str, Field(min_length=1, description="A text.", examples=["I love this."])]


class Label(TypedDict):
    """A label and how sure the model is of it."""

    label: str
    score: float


Prediction = list[Label]

NESTED = True
"""Whether a single input is answered with a list of one prediction, as clients of this task expect."""


class Parameters(BaseModel):
    """What may be changed in a request; the names are those of the hub's inference API."""

    model_config = ConfigDict(extra="forbid")

    top_k: int | None = Field(None, ge=1, description="How many labels, best first; by default all of them.")
    function_to_apply: Literal["sigmoid", "softmax", "none"] | None = Field(
        None, description="How scores are made; by default sigmoid for several labels at once, softmax otherwise."
    )
    truncate: bool = Field(False, description="Cut a text that is too long, instead of refusing it.")


def from_text(text: str) -> str:
    """The input that a line of text, a field or an argument stands for."""
    return text
