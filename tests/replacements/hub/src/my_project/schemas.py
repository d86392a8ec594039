"""Reviews, and whether a person should read them."""

from typing import Annotated

from pydantic import Field
from typing_extensions import TypedDict

from .task.schemas import TextClassificationParameters


class Review(TypedDict):
    """A review."""

    title: str
    body: str


Input = Annotated[Review, Field(examples=[{"title": "Happy", "body": "The rain has stopped."}])]


class Output(TypedDict):
    """The label of a review."""

    label: str
    score: float
    is_certain: bool


class Parameters(TextClassificationParameters):
    """Parameters of a request."""

    with_title: bool = Field(True, description="Read the title, too.")
