"""OpenAI's embeddings route."""

import base64
from array import array
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Annotated, Any, Literal

from fastapi import APIRouter, Request
from pydantic import BeforeValidator, Field, create_model
from pydantic_core import PydanticCustomError

from ...base_settings import ServiceSettings
from ...errors import ModelUnavailableError
from ...inference.schemas import TaskSchemas
from ..dependencies import engine_of
from ..disconnects import while_connected
from ..responses import Json
from .openai_request import OpenAIRequest, is_token_ids
from .predict import as_list, one_or_more, too_many

Decode = Callable[[Sequence[int]], str]
"""Returns the text of token ids."""


class EmbeddingsRequest(OpenAIRequest):
    """https://platform.openai.com/docs/api-reference/embeddings/create."""

    input: Any
    encoding_format: Literal["float", "base64"] = "float"
    dimensions: int | None = Field(None, ge=1, description="Keep the first dimensions, for models trained for it.")


def embeddings_router(settings: ServiceSettings, schemas: TaskSchemas) -> APIRouter:
    """Return the route `POST /v1/embeddings`.

    Raises:
        ModelUnavailableError: The setting `client_tokenizer` names a file that is no tokenizer.
    """
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

    decode = _decoder(settings.client_tokenizer, f"{settings.model_config.get('env_prefix', '')}CLIENT_TOKENIZER")
    body = _request_model(schemas, decode, max_inputs)
    embeddings.__annotations__["body"] = body  # FastAPI reads the request model from there
    router = APIRouter(prefix="/v1")
    router.add_api_route("/embeddings", embeddings, methods=["POST"])
    return router


def _request_model(schemas: TaskSchemas, decode: Decode, max_inputs: int) -> type[EmbeddingsRequest]:
    """Return the request model; token ids in a request are decoded to texts."""

    def to_texts(value: Any) -> Any:
        if is_token_ids(value):
            return decode(value)
        if isinstance(value, list) and value and all(map(is_token_ids, value)):
            if len(value) > max_inputs:
                raise too_many(len(value), "input", max_inputs)
            return [decode(each) for each in value]
        return value

    texts = one_or_more(schemas, max_inputs, "input")
    before = BeforeValidator(to_texts, json_schema_input_type=texts | list[int] | list[list[int]])
    return create_model(
        "EmbeddingsRequest",
        __base__=EmbeddingsRequest,
        __doc__=EmbeddingsRequest.__doc__,
        input=(Annotated[texts, before], Field(description="A text or token ids, or a list of them.")),
    )


def _decoder(file: Path | None, setting: str) -> Decode:
    """Return the function that decodes the token ids of clients; without a tokenizer, it refuses them."""
    if file is None:
        reason = (
            "token ids are of a vocabulary that only the client knows: send texts (LangChain: OpenAIEmbeddings("
            "check_embedding_ctx_length=False)), or set {setting} on the server to the client's tokenizer.json"
        )

        def refuse(ids: Sequence[int]) -> str:
            raise PydanticCustomError("unsupported_value", reason, {"setting": setting})

        return refuse

    from tokenizers import Tokenizer

    try:
        tokenizer = Tokenizer.from_file(str(file))
    except Exception as error:  # the library raises no exception of its own
        raise ModelUnavailableError(f"{setting}: {file} is no tokenizer.json: {error}") from None

    def decode(ids: Sequence[int]) -> str:
        for token in ids:
            if not 0 <= token < 2**32 or tokenizer.id_to_token(token) is None:
                message = "the tokenizer of {setting} has no token {token}"
                raise PydanticCustomError("invalid_token", message, {"setting": setting, "token": token})
        return tokenizer.decode(list(ids), skip_special_tokens=True)

    return decode


def _encode(vector: list[float], encoding: str) -> Any:
    """Return the numbers, or their little-endian 32-bit floats in base64."""
    if encoding == "float":
        return vector
    return base64.b64encode(array("f", vector).tobytes()).decode()
