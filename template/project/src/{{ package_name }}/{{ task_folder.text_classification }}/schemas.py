"""Inputs, parameters and outputs of text classification."""

from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Discriminator, Field, Tag
from typing_extensions import TypedDict

from .labels import Label
from .long_texts import Text

Part = Annotated[str, Field(min_length=1)]


class TextPair(TypedDict):
    """Two texts that the model reads as one input, for example a premise and a hypothesis."""

    text: Part
    text_pair: Part


def _kind(given: Any) -> str | None:
    """Return the tag of the type that was sent."""
    if isinstance(given, str):
        return "a-text"
    return "an-object" if isinstance(given, dict) else "an-array" if isinstance(given, (list, tuple)) else None


Input = Annotated[
    Annotated[Part, Tag("a-text")]
    | Annotated[TextPair, Tag("an-object")]
    | Annotated[tuple[Part, Part], Tag("an-array")],
    Discriminator(
        _kind, custom_error_type="text_type", custom_error_message="Input should be a text or a pair of texts"
    ),
    Field(
        description="A text, or a pair of texts: an object or, in a list of inputs, an array of two.",
        examples=[
            "I love this.",
            "The room was clean and quiet, but nobody at the desk could tell us when we may leave.",
        ],
    ),
]
Output = list[Label]


def to_text(given: Input) -> Text:
    """Return an input as the tokenizer takes it: a text, or a tuple of two."""
    return (given["text"], given["text_pair"]) if isinstance(given, dict) else given


class TextClassificationParameters(BaseModel):
    """Parameters of a request, named as in the hub's inference API."""

    model_config = ConfigDict(extra="forbid")

    top_k: int | None = Field(None, ge=1, description="Number of labels, best first; all of them by default.")
    function_to_apply: Literal["sigmoid", "softmax", "none"] | None = Field(
        None, description="How logits become scores; by default as the model was trained."
    )
    truncate: bool = Field(False, description="Cut a text that is too long instead of refusing it.")
