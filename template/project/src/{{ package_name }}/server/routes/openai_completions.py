"""OpenAI's completions route, for prompts without a chat template."""

from collections.abc import AsyncIterator
from typing import Annotated, Any, cast

from fastapi import APIRouter, Request, Response
from pydantic import BeforeValidator, Field, create_model
from pydantic_core import PydanticCustomError

from ...base_settings import ServiceSettings
from ...errors import InvalidInputError
from ...inference.batching import Item
from ...inference.schemas import TaskSchemas
from ..dependencies import engine_of
from ..disconnects import while_connected
from ..responses import Json
from ..streaming import DONE, EventStream, Stream, StreamingModel
from .openai_generation import FAILURE, GenerationRequest, finish_reason, response_head, texts_of, usage
from .openai_request import is_token_ids, only
from .predict import as_list, too_many

DEFAULT_MAX_TOKENS = 16
"""Maximum length of a text if the client says nothing, in tokens, as in OpenAI's schema."""


def _prompts(max_inputs: int) -> Any:
    """Return the type of one or more prompts, each a text or a list of token ids, as a list."""

    def list_prompts(value: Any) -> Any:
        prompts = value if isinstance(value, list) and not is_token_ids(value) else [value]
        if len(prompts) > max_inputs:
            raise too_many(len(prompts), "prompt", max_inputs)
        for each in prompts:
            if not (is_token_ids(each) or (isinstance(each, str) and each)):
                message = "each prompt is a text or a list of token ids, and not empty"
                raise PydanticCustomError("invalid_prompt", message)
        if not prompts:
            raise PydanticCustomError("invalid_prompt", "send one prompt at least")
        return prompts

    sent = str | list[str] | list[int] | list[list[int]]
    return Annotated[list[str | list[int]], BeforeValidator(list_prompts, json_schema_input_type=sent)]


class CompletionRequest(GenerationRequest):
    """https://platform.openai.com/docs/api-reference/completions/create."""

    prompt: Any
    max_tokens: int | None = Field(None, ge=1)
    best_of: Annotated[Any, only(1)] = None
    echo: Annotated[Any, only(False)] = None
    logprobs: Annotated[Any, only()] = None
    suffix: Annotated[Any, only("")] = None


def completions_router(settings: ServiceSettings, schemas: TaskSchemas) -> APIRouter:
    """Return the route `POST /v1/completions`."""
    max_inputs = settings.max_inputs

    async def completions(request: Request, body: CompletionRequest) -> Response:
        """Continue prompts as OpenAI's API does."""
        prompts = as_list(body.prompt, "prompt", max_inputs)
        if body.stream and len(prompts) > 1:
            raise InvalidInputError(f"stream: one prompt at a time can be streamed, not {len(prompts)}")
        parameters = body.parameters(schemas, body.max_tokens, DEFAULT_MAX_TOKENS)
        engine = engine_of(request)
        model = cast(StreamingModel, engine.model)
        stream = Stream() if body.stream else None
        items: list[Item] = []

        texts = [each for each in prompts if isinstance(each, str)]

        def preprocess() -> list[Item]:
            encoded = iter(model.preprocess(texts, parameters) if texts else [])
            ids = [next(encoded).value.ids if isinstance(each, str) else each for each in prompts]
            plain = model.preprocess_ids(ids, parameters)
            items.extend(model.streaming(plain, stream) if stream else plain)
            return items

        work = engine.compute(len(prompts), preprocess, lambda: engine.model.is_large(texts))
        head = {**response_head("cmpl", engine.name), "object": "text_completion"}
        if stream:
            await while_connected(request, stream.begin(work))
            return EventStream(stream, _events(stream, items[0], head, body.stream_options.include_usage), FAILURE)
        turns = await while_connected(request, work)
        choices = [
            _choice(index, text, finish_reason(item, written))
            for index, (item, (text, written)) in enumerate(zip(items, turns, strict=True))
        ]
        return Json({**head, "choices": choices, "usage": usage(items, sum(written for _, written in turns))})

    completions.__annotations__["body"] = _request_model(max_inputs)  # FastAPI reads the request model from there
    router = APIRouter(prefix="/v1")
    router.add_api_route("/completions", completions, methods=["POST"])
    return router


def _request_model(max_inputs: int) -> type[CompletionRequest]:
    described = Field(description="One prompt or a list; token ids are those of the model's own tokenizer.")
    return create_model(
        "CompletionRequest",
        __base__=CompletionRequest,
        __doc__=CompletionRequest.__doc__,
        prompt=(_prompts(max_inputs), described),
    )


async def _events(
    stream: Stream, item: Item, head: dict[str, Any], with_usage: bool
) -> AsyncIterator[dict[str, Any] | str]:
    if with_usage:
        head = {**head, "usage": None}
    async for text in texts_of(stream):
        yield {**head, "choices": [_choice(0, text, None)]}
    _, written = await stream.result()
    yield {**head, "choices": [_choice(0, "", finish_reason(item, written))]}
    if with_usage:
        yield {**head, "choices": [], "usage": usage([item], written)}
    yield DONE


def _choice(index: int, text: str, end: str | None) -> dict[str, Any]:
    return {"index": index, "text": text, "logprobs": None, "finish_reason": end}
