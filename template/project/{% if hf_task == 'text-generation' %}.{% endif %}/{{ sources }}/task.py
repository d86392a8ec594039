"""What the task takes and gives: a text and what follows it."""

from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field
from typing_extensions import TypedDict

Input = Annotated[str, Field(min_length=1, description="A prompt.", examples=["Once upon a time"])]


class Generation(TypedDict):
    """The text that the model wrote."""

    generated_text: str


Prediction = Generation

NESTED = True
"""Whether a single input is answered with a list of one prediction, as clients of this task expect."""


class Parameters(BaseModel):
    """What may be changed in a request; the names are those of the hub's inference API."""

    model_config = ConfigDict(extra="forbid")

    max_new_tokens: int = Field(64, ge=1, le=4096, description="Longest text, in tokens.")
    do_sample: bool | None = Field(
        None, description="Draw at random; by default if temperature, top_k or top_p is set."
    )
    temperature: float | None = Field(None, ge=0.01, le=10, description="Above 1 is more surprising, below 1 less.")
    top_k: int | None = Field(None, ge=1, description="Draw among this many tokens.")
    top_p: float | None = Field(None, gt=0, le=1, description="Draw among the likeliest tokens up to this probability.")
    repetition_penalty: float | None = Field(None, ge=0.01, le=10, description="Above 1 repeats less.")
    seed: int | None = Field(None, ge=0, lt=2**63, description="Draw the same again.")
    stop: list[Annotated[str, Field(min_length=1)]] = Field([], max_length=8, description="Texts to stop at.")
    return_full_text: bool = Field(False, description="Give the prompt back too.")
    details: bool = Field(False, description="Say at the end of a stream how long it is and why it ended.")
    decoder_input_details: Literal[False] = Field(False, description="Details of the prompt are not given.")
    stream: bool = Field(False, description="Send the text of one prompt while it is written.")


def from_text(text: str) -> str:
    """The input that a line of text, a field or an argument stands for."""
    return text
