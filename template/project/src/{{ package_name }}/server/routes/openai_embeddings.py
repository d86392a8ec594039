"""OpenAI's embeddings route."""

import base64
from array import array
from typing import Any, Literal

from fastapi import APIRouter, Request
from pydantic import BaseModel, Field, create_model

from ...base_settings import ServiceSettings
from ...inference.schemas import TaskSchemas
from ..dependencies import engine_of
from ..disconnects import while_connected
from ..responses import Json
from .predict import as_list, one_or_more


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
        texts = as_list(body.input, "input", max_inputs)
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
    return create_model(
        "EmbeddingsRequest",
        __base__=EmbeddingsRequest,
        __doc__=EmbeddingsRequest.__doc__,
        input=(one_or_more(schemas), Field(description="One text, or a list of them.")),
    )


def _encode(vector: list[float], encoding: str) -> Any:
    """Return the numbers, or their little-endian 32-bit floats in base64."""
    if encoding == "float":
        return vector
    return base64.b64encode(array("f", vector).tobytes()).decode()
