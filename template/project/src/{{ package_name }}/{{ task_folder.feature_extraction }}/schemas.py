"""Inputs, parameters and outputs of sentence embeddings."""

from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field

Input = Annotated[
    str,
    Field(
        min_length=1,
        description="A text.",
        examples=[
            "A happy dog.",
            "Investors were surprised by the quarterly report, which nobody had expected so soon.",
        ],
    ),
]
Output = list[float]


class EmbeddingParameters(BaseModel):
    """Parameters of a request, named as in the hub's inference API."""

    model_config = ConfigDict(extra="forbid")

    normalize: bool | None = Field(None, description="Scale to length 1; the model's own setting by default.")
    dimensions: int | None = Field(None, ge=1, description="Keep the first dimensions, for models trained for it.")
    prompt_name: str | None = Field(None, description="Name of one of the model's prompts, such as query.")
    truncate: bool = Field(False, description="Cut a text that is too long instead of refusing it.")
    truncation_direction: Literal["left", "right"] = Field("right", description="The end to cut.")
