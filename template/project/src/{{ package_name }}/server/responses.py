"""JSON responses."""

from typing import Any

from fastapi.responses import JSONResponse
from pydantic_core import to_json


class Json(JSONResponse):
    """JSON response serialized by pydantic, ten times as fast as the standard library for lists of numbers."""

    def render(self, content: Any) -> bytes:
        """Return the content as JSON in UTF-8."""
        return encode(content)


def encode(content: Any) -> bytes:
    """Return the content as JSON in UTF-8. NaN and infinity, which JSON lacks, become null."""
    return to_json(content, inf_nan_mode="null")
