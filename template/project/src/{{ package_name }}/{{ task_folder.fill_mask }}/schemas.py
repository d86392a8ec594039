"""Inputs, parameters and outputs of fill-mask."""

from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field
from typing_extensions import TypedDict

ANY_MASK = "<mask>"
"""Stands for the missing word with every model, beside the mask of the model's own vocabulary, such as [MASK]."""

Input = Annotated[
    str,
    Field(
        min_length=1,
        description="A text with one mask: <mask>, or the model's own.",
        examples=[
            f"Paris is in {ANY_MASK}.",
            f"She opened the door, looked around, and {ANY_MASK} into the room without a word.",
        ],
    ),
]


class Fill(TypedDict):
    """A token for the mask, its score from 0 to 1, and the text with it."""

    score: float
    token: int
    token_str: str
    sequence: str


Output = list[Fill]


class FillMaskParameters(BaseModel):
    """Parameters of a request, named as in the hub's inference API."""

    model_config = ConfigDict(extra="forbid")

    top_k: int = Field(5, ge=1, le=1000, description="Number of tokens, best first.")
    targets: list[str] | None = Field(None, min_length=1, max_length=1000, description="Choose among these tokens.")
