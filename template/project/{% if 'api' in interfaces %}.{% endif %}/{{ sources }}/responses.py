"""Answers in JSON."""

from typing import Any

from fastapi.responses import JSONResponse
from pydantic_core import to_json


class Json(JSONResponse):
    """JSON written by pydantic, which takes a tenth of the time of Python's own where there are many numbers."""

    def render(self, content: Any) -> bytes:
        """The content in UTF-8."""
        return encode(content)


def encode(content: Any) -> bytes:
    """The content in UTF-8; NaN and infinity, for which JSON has no words, become null."""
    return to_json(content, inf_nan_mode="null")
