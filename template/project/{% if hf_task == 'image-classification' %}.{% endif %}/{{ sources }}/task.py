"""What the task takes and gives: labels of an image with their scores."""

from pathlib import Path
from typing import Annotated, Literal

from pydantic import Base64Bytes, BaseModel, ConfigDict, Field
from typing_extensions import TypedDict

Input = Annotated[Base64Bytes, Field(min_length=1, description="A PNG, JPEG, WebP, GIF, BMP or TIFF file, in base64.")]


class Label(TypedDict):
    """A label and how sure the model is of it."""

    label: str
    score: float


Prediction = list[Label]

NESTED = False
"""Whether a single input is answered with a list of one prediction, as clients of this task expect."""


class Parameters(BaseModel):
    """What may be changed in a request; the names are those of the hub's inference API."""

    model_config = ConfigDict(extra="forbid")

    top_k: int = Field(5, ge=1, description="How many labels, best first.")
    function_to_apply: Literal["sigmoid", "softmax", "none"] | None = Field(
        None, description="How scores are made; by default sigmoid for several labels at once, softmax otherwise."
    )


def from_text(text: str) -> bytes:
    """The image in the file that a line of text, a field or an argument names. Raises InvalidInput."""
    from .predictor import InvalidInput

    try:
        return Path(text).read_bytes()
    except (OSError, ValueError) as error:
        raise InvalidInput(f"{text!r}: {getattr(error, 'strerror', None) or error}") from None
