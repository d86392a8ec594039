"""Inputs, parameters and outputs of text classification."""

from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field

from .labels import Label

Input = Annotated[str, Field(min_length=1, description="A text.", examples=["I love this."])]
Output = list[Label]


class TextClassificationParameters(BaseModel):
    """Parameters of a request, named as in the hub's inference API."""

    model_config = ConfigDict(extra="forbid")

    top_k: int | None = Field(None, ge=1, description="Number of labels, best first; all of them by default.")
    function_to_apply: Literal["sigmoid", "softmax", "none"] | None = Field(
        None, description="How logits become scores; by default sigmoid for multi-label models, softmax otherwise."
    )
    truncate: bool = Field(False, description="Cut a text that is too long instead of refusing it.")
