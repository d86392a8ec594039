"""Messages of OpenAI's chats, and how chat templates of models take them."""

import json
from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, ConfigDict, Field, field_validator, model_validator
from pydantic_core import PydanticCustomError

from .openai_request import OpenAIModel, only

TEMPLATE_ROLES = {"developer": "system", "function": "tool"}
"""Roles that chat templates know by another name."""

PARTS = {"text": "text", "refusal": "refusal"}
"""Types of the parts of a message, with the field that has the text."""


def _join_parts(content: Any) -> Any:
    """Return a list of text parts as one text; anything else as it is."""
    if not isinstance(content, list):
        return content
    texts = []
    for part in content:
        kind = part.get("type") if isinstance(part, dict) else None
        if kind not in PARTS:
            raise PydanticCustomError(
                "unsupported_value", "the model takes text, not parts of the type {kind}", {"kind": str(kind)}
            )
        text = part.get(PARTS[kind])
        if not isinstance(text, str):
            raise PydanticCustomError("invalid_part", "a part of the type {kind} needs a text", {"kind": kind})
        texts.append(text)
    return "\n".join(texts)


def _parse_arguments(arguments: Any) -> Any:
    """Return the arguments of a call, which are JSON in a text, as the object that chat templates take."""
    if isinstance(arguments, str):
        try:
            arguments = json.loads(arguments or "{}")
        except ValueError:
            arguments = None
    if not isinstance(arguments, dict):
        raise PydanticCustomError("invalid_arguments", "the arguments are not a JSON object")
    return arguments


Arguments = Annotated[dict[str, Any], BeforeValidator(_parse_arguments, json_schema_input_type=str)]


class FunctionCall(OpenAIModel):
    """A function that the model has called, with its arguments."""

    name: str = Field(min_length=1)
    arguments: Arguments = Field(default_factory=dict)


class ToolCall(OpenAIModel):
    """A call of a tool by the model."""

    model_config = ConfigDict(extra="ignore")

    id: str | None = None
    type: Literal["function"] = "function"
    function: FunctionCall


class Message(OpenAIModel):
    """One message of a chat. The chat template gets further fields, too."""

    model_config = ConfigDict(extra="allow")

    role: Literal["system", "developer", "user", "assistant", "tool", "function"]
    content: Annotated[
        str | None, BeforeValidator(_join_parts, json_schema_input_type=str | list[dict[str, Any]] | None)
    ] = Field(None, description="A text, or a list of text parts. An assistant's may be null beside its calls.")
    name: str | None = None
    refusal: str | None = None
    tool_call_id: str | None = None
    tool_calls: list[ToolCall] = Field(default_factory=list)
    function_call: FunctionCall | None = None
    audio: Annotated[Any, only()] = None

    @field_validator("tool_calls", "function_call")
    @classmethod
    def _check_role(cls, value: Any, info: Any) -> Any:
        if value and info.data.get("role") != "assistant":
            raise PydanticCustomError("invalid_role", "only the role assistant calls tools")
        return value

    @model_validator(mode="after")
    def _check_content(self) -> "Message":
        says = self.content is not None or self.refusal is not None
        calls = self.tool_calls or self.function_call
        if not says and not (self.role == "assistant" and calls):
            raise PydanticCustomError("missing_content", "content is missing: only a call of tools needs none")
        return self

    def for_template(self) -> dict[str, Any]:
        """Return the message as chat templates take it."""
        message: dict[str, Any] = {
            "role": TEMPLATE_ROLES.get(self.role, self.role),
            "content": self.content if self.content is not None else self.refusal or "",
        }
        calls = [call.model_dump(exclude_none=True) for call in self.tool_calls]
        if self.function_call:
            calls.append({"type": "function", "function": self.function_call.model_dump()})
        if calls:
            message["tool_calls"] = calls
        for name in ("name", "tool_call_id"):
            if (value := getattr(self, name)) is not None:
                message[name] = value
        return {**(self.model_extra or {}), **message}
