"""Reranking in the formats of Hugging Face's text-embeddings-inference, and of Cohere and Jina."""

import uuid
from collections.abc import Mapping
from typing import Annotated, Any, Literal

from fastapi import APIRouter, Request
from pydantic import (
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Discriminator,
    Field,
    Tag,
    create_model,
    model_validator,
    with_config,
)
from typing_extensions import TypedDict

from ...base_settings import ServiceSettings
from ...inference.schemas import TaskSchemas
from ...json_limits import check_fields
from ..dependencies import engine_of
from ..disconnects import while_connected
from ..responses import Json
from .predict import as_list, at_most

Part = Annotated[str, Field(min_length=1)]


def _lower(given: Any) -> Any:
    return given.lower() if isinstance(given, str) else given


class RerankRequest(BaseModel):
    """What both formats share. A null means the default."""

    model_config = ConfigDict(extra="forbid")

    model: str = Field("", description="Ignored: the server has one model.")
    query: Part

    @model_validator(mode="before")
    @classmethod
    def _drop_nulls(cls, body: Any) -> Any:
        if not isinstance(body, dict):
            return body
        check_fields(body)
        return {name: value for name, value in body.items() if value is not None}


class TextsRequest(RerankRequest):
    """https://huggingface.github.io/text-embeddings-inference/#/Text%20Embeddings%20Inference/rerank."""

    texts: list[Part]
    raw_scores: bool = Field(False, description="Return the logits, without the model's own activation function.")
    return_text: bool = Field(False, description="Return each text with its score.")
    truncate: bool = Field(False, description="Cut a pair that is too long instead of refusing it.")
    truncation_direction: Annotated[Literal["left", "right"], BeforeValidator(_lower)] = "right"


@with_config(ConfigDict(extra="allow"))
class Document(TypedDict):
    """A document with its text; other fields are returned as they are, but not read."""

    text: Part


class DocumentsRequest(RerankRequest):
    """https://docs.cohere.com/reference/rerank and https://api.jina.ai/redoc#tag/rerank. Long pairs are cut."""

    documents: list[Part | Document]
    top_n: int | None = Field(None, ge=1, description="Number of results, best first; all of them by default.")
    return_documents: bool = Field(False, description="Return each document with its score.")


def _format(body: Any) -> str | None:
    """Return the tag of the format that was sent."""
    given = body if isinstance(body, Mapping) else vars(body) if isinstance(body, RerankRequest) else {}
    found = [name for name in ("texts", "documents") if given.get(name) is not None]
    return f"with-{found[0]}" if len(found) == 1 else None


def _request_model(max_inputs: int) -> Any:
    """Return the type of a body in either format, which has at most so many texts."""

    def several(of: Any, field: str) -> Any:
        return Annotated[list[of], Field(min_length=1, fail_fast=True), at_most(max_inputs, field)], ...

    texts = create_model("TextsRequest", __base__=TextsRequest, texts=several(Part, "texts"))
    documents = create_model(
        "DocumentsRequest", __base__=DocumentsRequest, documents=several(Part | Document, "documents")
    )
    return Annotated[
        Annotated[texts, Tag("with-texts")] | Annotated[documents, Tag("with-documents")],
        Discriminator(
            _format,
            custom_error_type="rerank_format",
            custom_error_message="send either texts or documents, and a query",
        ),
    ]


def rerank_router(settings: ServiceSettings, schemas: TaskSchemas) -> APIRouter:
    """Return the route `POST /rerank`, also below `/v1` and `/v2`, where clients of Cohere send requests."""
    max_inputs = settings.max_inputs

    async def rerank(request: Request, body: TextsRequest | DocumentsRequest) -> Json:
        """Rank texts by their relevance to a query, best first."""
        engine = engine_of(request)

        async def ranked(texts: list[str], **parameters: Any) -> list[tuple[int, float, int]]:
            """Return index, score and tokens of each text, best first."""
            pairs = [{"query": body.query, "text": text} for text in texts]
            sized = await while_connected(request, engine.predict_sized(pairs, schemas.parameters(**parameters)))
            scored = [(index, score, tokens) for index, (score, tokens) in enumerate(sized)]
            return sorted(scored, key=lambda each: -each[1])

        if isinstance(body, TextsRequest):
            texts = as_list(body.texts, "texts", max_inputs)
            options = {name: getattr(body, name) for name in ("raw_scores", "truncate", "truncation_direction")}
            found = await ranked(texts, **options)
            given = [{"text": text} for text in texts] if body.return_text else [{}] * len(texts)
            return Json([{"index": index, **given[index], "score": score} for index, score, _ in found])

        documents = as_list(body.documents, "documents", max_inputs)
        objects = [{"text": each} if isinstance(each, str) else dict(each) for each in documents]
        found = await ranked([each["text"] for each in objects], truncate=True)
        tokens = sum(count for _, _, count in found)
        returned = [{"document": each} for each in objects] if body.return_documents else [{}] * len(objects)
        return Json(
            {
                "id": str(uuid.uuid4()),
                "model": engine.name,
                "results": [
                    {"index": index, "relevance_score": score, **returned[index]}
                    for index, score, _ in found[: body.top_n]
                ],
                "meta": {
                    "api_version": {"version": "1" if request.url.path.startswith("/v1/") else "2"},
                    "tokens": {"input_tokens": tokens},
                },
                "usage": {"prompt_tokens": tokens, "total_tokens": tokens},
            }
        )

    rerank.__annotations__["body"] = _request_model(max_inputs)  # FastAPI reads the request model from there
    router = APIRouter()
    for path in ("/rerank", "/v1/rerank", "/v2/rerank"):
        router.add_api_route(path, rerank, methods=["POST"], include_in_schema=path == "/rerank")
    return router
