"""OpenAI's embeddings route."""

import base64
from array import array
from typing import Annotated, Any, Literal

from fastapi import APIRouter, HTTPException, Request
from pydantic import BaseModel, Field, create_model

from ...base_settings import ServiceSettings
from ...inference import metrics
from ...inference.schemas import TaskSchemas
from ..dependencies import engine_of
from ..disconnects import while_connected
from ..responses import Json


class EmbeddingsRequest(BaseModel):
    """https://platform.openai.com/docs/api-reference/embeddings/create."""

    model: str = Field("", description="Ignored: the server has one model.")
    input: Any
    encoding_format: Literal["float", "base64"] = "float"
    dimensions: int | None = Field(None, ge=1)


def embeddings_router(settings: ServiceSettings, schemas: TaskSchemas) -> APIRouter:
    """Return the route `POST /v1/embeddings`."""
    max_inputs, parameters_of = settings.max_inputs, schemas.parameters

    async def embeddings(request: Request, body: EmbeddingsRequest) -> Json:
        """Embed texts as OpenAI's API does."""
        texts = body.input if isinstance(body.input, list) else [body.input]
        if len(texts) > max_inputs:
            raise HTTPException(413, f"input: {len(texts)} exceed the limit of {max_inputs}")
        metrics.INPUTS.observe(len(texts))
        engine = engine_of(request)
        parameters = parameters_of(dimensions=body.dimensions)
        sized = await while_connected(request, engine.predict_sized(texts, parameters))
        tokens = sum(size for _, size in sized)
        return Json(
            {
                "object": "list",
                "model": engine.name,
                "data": [
                    {"object": "embedding", "index": index, "embedding": _encode(vector, body.encoding_format)}
                    for index, (vector, _) in enumerate(sized)
                ],
                "usage": {"prompt_tokens": tokens, "total_tokens": tokens},
            }
        )

    embeddings.__annotations__["body"] = _request_model(schemas)  # FastAPI reads the request model from there
    router = APIRouter(prefix="/v1")
    router.add_api_route("/embeddings", embeddings, methods=["POST"])
    return router


def _request_model(schemas: TaskSchemas) -> type[EmbeddingsRequest]:
    one_or_more = schemas.input | Annotated[list[schemas.input], Field(min_length=1, fail_fast=True)]
    return create_model(
        "EmbeddingsRequest",
        __base__=EmbeddingsRequest,
        __doc__=EmbeddingsRequest.__doc__,
        input=(one_or_more, Field(description="One text, or a list of them.")),
    )


def _encode(vector: list[float], encoding: str) -> Any:
    """Return the numbers, or their little-endian 32-bit floats in base64."""
    if encoding == "float":
        return vector
    return base64.b64encode(array("f", vector).tobytes()).decode()
