"""Inputs, parameters and outputs of image classification."""

from typing import Annotated, Literal

from pydantic import Base64Bytes, BaseModel, ConfigDict, Field

from .labels import Label

Input = Annotated[
    Base64Bytes,
    Field(
        min_length=1,
        description="A PNG, JPEG, WebP, GIF, BMP or TIFF file, in base64.",
        examples=[  # files of 6 x 4 and 5 x 8 pixels
            "iVBORw0KGgoAAAANSUhEUgAAAAYAAAAEAgMAAADQaqbQAAAADFBMVEVvxpxpcpvLH3stObDeD+tTAAAAFElEQVR42mP4y8C0RYBZN4xJYw"
            "EAFE4DFPqm68kAAAAASUVORK5CYII=",
            "iVBORw0KGgoAAAANSUhEUgAAAAUAAAAIAgMAAABMn92oAAAADFBMVEVx2Il9kJvCOZktPZ0Cs9ofAAAAIElEQVR42mP4ysCs+Z7pxwFm3m"
            "CmMgZmlV2M8xUZGBgAXCEGSC/B0vsAAAAASUVORK5CYII=",
        ],
    ),
]
Output = list[Label]


class ImageClassificationParameters(BaseModel):
    """Parameters of a request, named as in the hub's inference API."""

    model_config = ConfigDict(extra="forbid")

    top_k: int = Field(5, ge=1, description="Number of labels, best first.")
    function_to_apply: Literal["sigmoid", "softmax", "none"] | None = Field(
        None, description="How logits become scores; by default as the model was trained."
    )
