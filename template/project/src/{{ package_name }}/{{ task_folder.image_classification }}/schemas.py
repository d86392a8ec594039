"""Inputs, parameters and outputs of image classification."""

from typing import Annotated, Literal

from pydantic import Base64Bytes, BaseModel, ConfigDict, Field

from .labels import Label

Input = Annotated[Base64Bytes, Field(min_length=1, description="A PNG, JPEG, WebP, GIF, BMP or TIFF file, in base64.")]
Output = list[Label]


class ImageClassificationParameters(BaseModel):
    """Parameters of a request, named as in the hub's inference API."""

    model_config = ConfigDict(extra="forbid")

    top_k: int = Field(5, ge=1, description="Number of labels, best first.")
    function_to_apply: Literal["sigmoid", "softmax", "none"] | None = Field(
        None, description="How logits become scores; by default sigmoid for multi-label models, softmax otherwise."
    )
