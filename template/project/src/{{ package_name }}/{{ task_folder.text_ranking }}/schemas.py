"""Inputs, parameters and outputs of text ranking."""

from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Discriminator, Field, Tag
from typing_extensions import TypedDict

Part = Annotated[str, Field(min_length=1)]


class RankingPair(TypedDict):
    """A query, and a text that may answer it."""

    query: Part
    text: Part


def _kind(given: Any) -> str | None:
    """Return the tag of the type that was sent."""
    return "an-object" if isinstance(given, dict) else "an-array" if isinstance(given, (list, tuple)) else None


Input = Annotated[
    Annotated[RankingPair, Tag("an-object")] | Annotated[tuple[Part, Part], Tag("an-array")],
    Discriminator(
        _kind, custom_error_type="pair_type", custom_error_message="Input should be an object with query and text"
    ),
    Field(
        description="A query and a text: an object, or an array of two.",
        examples=[
            {"query": "How many people live in Berlin?", "text": "Berlin has 3.7 million inhabitants."},
            {
                "query": "How many people live in Berlin?",
                "text": "The museums of Berlin are known for their collections, and are open on most days of the week.",
            },
        ],
    ),
]
Output = float
"""The score of the text: the higher, the better it answers the query."""


def to_pair(given: Input) -> tuple[str, str]:
    """Return an input as the tokenizer takes it: the query, and the text."""
    return (given["query"], given["text"]) if isinstance(given, dict) else given


class TextRankingParameters(BaseModel):
    """Parameters of a request, named as those of text-embeddings-inference."""

    model_config = ConfigDict(extra="forbid")

    raw_scores: bool = Field(False, description="Return the logits, without the model's own activation function.")
    truncate: bool = Field(False, description="Cut a pair that is too long instead of refusing it.")
    truncation_direction: Literal["left", "right"] = Field("right", description="The end to cut.")
