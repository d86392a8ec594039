"""The types of a task, passed from the owner's schemas.py to the machinery."""

from dataclasses import dataclass
from typing import Any

from pydantic import BaseModel, TypeAdapter


@dataclass(frozen=True)
class TaskSchemas:
    """Input, parameters and output of the model, as clients send and receive them."""

    input: Any
    """Type of one input, which pydantic validates."""
    parameters: type[BaseModel]
    output: Any
    """Type of the prediction for one input."""

    def examples(self) -> list[Any]:
        """Return the examples of the input's schema, as JSON values; there may be none."""
        return list(TypeAdapter(self.input).json_schema().get("examples", []))
