"""OpenAI's chat completions route."""

from collections.abc import AsyncIterator
from typing import Annotated, Any, cast

from fastapi import APIRouter, Request, Response
from pydantic import Field, ValidationInfo, field_validator
from pydantic_core import PydanticCustomError

from ...inference.batching import Item
from ...inference.schemas import TaskSchemas
from ..dependencies import engine_of
from ..disconnects import while_connected
from ..responses import Json
from ..streaming import DONE, EventStream, Stream, StreamingModel
from .openai_generation import FAILURE, GenerationRequest, finish_reason, response_head, texts_of, usage
from .openai_messages import Message
from .openai_request import only

DEFAULT_MAX_TOKENS = 256
"""Maximum length of an answer if the client says nothing, in tokens."""


class ChatRequest(GenerationRequest):
    """https://platform.openai.com/docs/api-reference/chat/create."""

    messages: list[Message] = Field(min_length=1, max_length=1000)
    max_tokens: int | None = Field(None, ge=1)
    max_completion_tokens: int | None = Field(None, ge=1)
    tool_choice: Annotated[Any, only("none", "auto")] = None
    tools: Any = Field(None, description='Taken with `tool_choice` "none" alone: the model calls no tools.')
    parallel_tool_calls: Any = None
    function_call: Annotated[Any, only("none", "auto")] = None
    functions: Any = None
    response_format: Annotated[Any, only({"type": "text"})] = None
    logprobs: Annotated[Any, only(False)] = None
    top_logprobs: Annotated[Any, only(0)] = None
    modalities: Annotated[Any, only(["text"])] = None
    audio: Annotated[Any, only()] = None
    prediction: Any = Field(None, description="Taken, without an effect.")
    reasoning_effort: Annotated[Any, only("none")] = None
    verbosity: Annotated[Any, only("medium")] = None
    web_search_options: Annotated[Any, only()] = None
    store: Annotated[Any, only(False)] = None

    @field_validator("tools", "functions")
    @classmethod
    def _refuse_tools(cls, value: Any, info: ValidationInfo) -> Any:
        choice = {"tools": "tool_choice", "functions": "function_call"}[str(info.field_name)]
        if value and info.data.get(choice) != "none":
            message = 'this server does not call tools: leave it out, or set {choice} to "none"'
            raise PydanticCustomError("unsupported_parameter", message, {"choice": choice})
        return value


def chat_router(schemas: TaskSchemas) -> APIRouter:
    """Return the route `POST /v1/chat/completions`."""
    router = APIRouter(prefix="/v1")

    @router.post("/chat/completions")
    async def chat(request: Request, body: ChatRequest) -> Response:
        """Continue a chat as OpenAI's API does."""
        parameters = body.parameters(schemas, body.max_completion_tokens or body.max_tokens, DEFAULT_MAX_TOKENS)
        engine = engine_of(request)
        model = cast(StreamingModel, engine.model)
        stream = Stream() if body.stream else None
        items: list[Item] = []

        def preprocess() -> list[Item]:
            chat = model.preprocess_chat([each.for_template() for each in body.messages], parameters)
            items.extend(model.streaming(chat, stream) if stream else chat)
            return items

        def is_large() -> bool:
            return engine.model.is_large([str(each.content) for each in body.messages])

        work = engine.compute(1, preprocess, is_large)
        head = response_head("chatcmpl", engine.name)
        if stream:
            await while_connected(request, stream.begin(work))
            with_usage = body.stream_options.include_usage
            return EventStream(stream, _chunks(stream, items[0], head, with_usage), FAILURE)
        [(text, written)] = await while_connected(request, work)
        message = {"role": "assistant", "content": text, "refusal": None}
        choice = {"index": 0, "message": message, "logprobs": None, "finish_reason": finish_reason(items[0], written)}
        return Json({**head, "object": "chat.completion", "choices": [choice], "usage": usage(items, written)})

    return router


async def _chunks(
    stream: Stream, item: Item, head: dict[str, Any], with_usage: bool
) -> AsyncIterator[dict[str, Any] | str]:
    head = {**head, "object": "chat.completion.chunk"}
    if with_usage:
        head["usage"] = None

    def chunk(end: str | None = None, **delta: str) -> dict[str, Any]:
        return {**head, "choices": [{"index": 0, "delta": delta, "logprobs": None, "finish_reason": end}]}

    yield chunk(role="assistant", content="")
    async for text in texts_of(stream):
        yield chunk(content=text)
    _, written = await stream.result()
    yield chunk(finish_reason(item, written))
    if with_usage:
        yield {**head, "choices": [], "usage": usage([item], written)}
    yield DONE
