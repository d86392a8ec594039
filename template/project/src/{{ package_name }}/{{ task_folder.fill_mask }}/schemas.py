"""Inputs, parameters and outputs of fill-mask."""

from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field
from typing_extensions import TypedDict

EXAMPLE_MASK = "<mask>"
"""Placeholder for the missing word in examples; other models may use another one."""

Input = Annotated[
    str,
    Field(
        min_length=1,
        description="A text with one mask.",
        examples=[
            f"Paris is in {EXAMPLE_MASK}.",
            f"She opened the door, looked around, and {EXAMPLE_MASK} into the room without a word.",
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
