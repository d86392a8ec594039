"""Inputs, parameters and outputs of text generation."""

from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field
from typing_extensions import TypedDict

Input = Annotated[
    str,
    Field(
        min_length=1,
        description="A prompt.",
        examples=[
            "Once upon a time",
            "The committee met for the third time this year, and again it could not agree on",
        ],
    ),
]
StopSequence = Annotated[str, Field(min_length=1)]


class Generation(TypedDict):
    """The text that the model wrote."""

    generated_text: str


Output = Generation


class TextGenerationParameters(BaseModel):
    """Parameters of a request, named as in the hub's inference API."""

    model_config = ConfigDict(extra="forbid")

    max_new_tokens: int = Field(64, ge=1, description="Maximum tokens of the text; the default shrinks to what fits.")
    do_sample: bool | None = Field(None, description="Sample; by default if temperature, top_k or top_p is set.")
    temperature: float | None = Field(None, ge=0.01, le=10, description="Above 1 is more random, below 1 less.")
    top_k: int | None = Field(None, ge=1, description="Sample among this many tokens.")
    top_p: float | None = Field(None, gt=0, le=1, description="Sample among the likeliest tokens up to this mass.")
    repetition_penalty: float | None = Field(None, ge=0.01, le=10, description="Above 1 repeats less.")
    seed: int | None = Field(None, ge=0, lt=2**63, description="The same seed samples the same text.")
    stop: Annotated[list[StopSequence], Field(max_length=8, description="Stop sequences.")] = []
    return_full_text: bool = Field(False, description="Return the prompt too.")
    details: bool = Field(False, description="Add length and reason of the end to the last event of a stream.")
    decoder_input_details: Literal[False] = Field(False, description="Details of the prompt are not supported.")
    stream: bool = Field(False, description="Stream the text of one prompt while it is generated.")
