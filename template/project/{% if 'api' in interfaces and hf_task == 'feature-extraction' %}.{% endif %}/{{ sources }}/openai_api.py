"""OpenAI's embeddings route, for its clients and those that speak like them."""

import base64
from array import array
from typing import Annotated, Any, Literal

from fastapi import APIRouter, HTTPException, Request
from pydantic import BaseModel, Field

from . import metrics
from .disconnects import while_connected
from .engine import Engine
from .responses import Json
from .settings import get_settings
from .task import Input, Parameters

router = APIRouter(prefix="/v1")


class EmbeddingsRequest(BaseModel):
    """https://platform.openai.com/docs/api-reference/embeddings/create"""

    model: str = Field("", description="Ignored: the server has one model.")
    input: Input | Annotated[list[Input], Field(min_length=1, fail_fast=True)] = Field(
        description="One text, or a list of them."
    )
    encoding_format: Literal["float", "base64"] = "float"
    dimensions: int | None = Field(None, ge=1)


@router.post("/embeddings")
async def embeddings(request: Request, body: EmbeddingsRequest) -> Json:
    """Embed texts as OpenAI's API does."""
    engine: Engine = request.app.state.engine
    settings = get_settings()
    texts = body.input if isinstance(body.input, list) else [body.input]
    if len(texts) > settings.max_inputs:
        raise HTTPException(413, f"input: {len(texts)} are more than the limit of {settings.max_inputs}")
    metrics.INPUTS.observe(len(texts))
    sized = await while_connected(request, engine.predict_sized(texts, Parameters(dimensions=body.dimensions)))
    tokens = sum(size for _, size in sized)
    return Json(
        {
            "object": "list",
            "model": engine.model,
            "data": [
                {"object": "embedding", "index": index, "embedding": _encoded(vector, body.encoding_format)}
                for index, (vector, _) in enumerate(sized)
            ],
            "usage": {"prompt_tokens": tokens, "total_tokens": tokens},
        }
    )


def _encoded(vector: list[float], encoding: str) -> Any:
    """The numbers, or their little-endian 32-bit floats in base64."""
    if encoding == "float":
        return vector
    return base64.b64encode(array("f", vector).tobytes()).decode()
