"""What the task takes and gives: sentence embeddings."""

from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field

Input = Annotated[str, Field(min_length=1, description="A text.", examples=["A happy dog."])]
Prediction = list[float]

NESTED = False
"""Whether a single input is answered with a list of one prediction, as clients of this task expect."""


class Parameters(BaseModel):
    """What may be changed in a request; the names are those of the hub's inference API."""

    model_config = ConfigDict(extra="forbid")

    normalize: bool | None = Field(None, description="Scale to length 1; by default as the model was trained.")
    dimensions: int | None = Field(None, ge=1, description="Keep only this many, for models trained for it.")
    prompt_name: str | None = Field(None, description="One of the prompts that the model defines, such as query.")
    truncate: bool = Field(False, description="Cut a text that is too long, instead of refusing it.")
    truncation_direction: Literal["left", "right"] = Field("right", description="Which end to cut.")


def from_text(text: str) -> str:
    """The input that a line of text, a field or an argument stands for."""
    return text
