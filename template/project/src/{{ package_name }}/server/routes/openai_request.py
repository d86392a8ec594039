"""What requests in OpenAI's format have in common: fields that are taken, and fields that are refused by name."""

import json
from typing import Any

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, model_validator
from pydantic_core import PydanticCustomError

from ...json_limits import check_fields


class OpenAIModel(BaseModel):
    """Fields of OpenAI's schema: null means the default, and a field that is not declared is refused."""

    model_config = ConfigDict(extra="forbid")

    @model_validator(mode="before")
    @classmethod
    def _drop_nulls(cls, body: Any) -> Any:
        if not isinstance(body, dict):
            return body
        check_fields(body)
        return {name: value for name, value in body.items() if value is not None}


def only(*values: Any) -> AfterValidator:
    """Return what refuses other values of a field than these, with which it has no effect."""
    choice = "".join(f", or send {json.dumps(each)}" for each in values)

    def check(value: Any) -> Any:
        if value not in values:
            message = "this server does not support it: leave it out{choice}"
            raise PydanticCustomError("unsupported_parameter", message, {"choice": choice})
        return value

    return AfterValidator(check)


def is_token_ids(value: Any) -> bool:
    """Return whether a value is a list of token ids, which is not empty."""
    return isinstance(value, list) and bool(value) and all(type(each) is int for each in value)


class OpenAIRequest(OpenAIModel):
    """Fields of every request. Those about accounts, billing and caches are taken without an effect."""

    model: str = Field("", description="Ignored: the server has one model.")
    user: Any = None
    metadata: Any = None
    safety_identifier: Any = None
    prompt_cache_key: Any = None
    prompt_cache_retention: Any = None
    service_tier: Any = None
