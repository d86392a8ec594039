"""OpenAI's chat completions route."""

import time
import uuid
from collections.abc import AsyncIterator
from typing import Annotated, Any, Literal, cast

from fastapi import APIRouter, Request, Response
from pydantic import BaseModel, Field

from ...inference.batching import Item
from ...inference.schemas import TaskSchemas
from ..dependencies import engine_of
from ..disconnects import while_connected
from ..responses import Json
from ..streaming import DONE, EventStream, Stream, StreamingModel

FAILURE = {
    "error": {"message": "the prediction failed; the server's log says why", "type": "server_error", "code": 500}
}

Stop = Annotated[str, Field(min_length=1)]


class Message(BaseModel):
    """One message of a chat."""

    role: Literal["system", "user", "assistant"]
    content: str


class StreamOptions(BaseModel):
    """Contents of a stream beside the text."""

    include_usage: bool | None = Field(None, description="Send the token counts in an extra event before the end.")


class ChatRequest(BaseModel):
    """https://platform.openai.com/docs/api-reference/chat/create."""

    model: str = Field("", description="Ignored: the server has one model.")
    messages: list[Message] = Field(min_length=1, max_length=1000)
    max_tokens: int | None = Field(None, ge=1, le=4096)
    max_completion_tokens: int | None = Field(None, ge=1, le=4096)
    temperature: float | None = Field(None, ge=0, le=10, description="Below 0.01 the most likely token is taken.")
    top_p: float | None = Field(None, gt=0, le=1)
    seed: int | None = Field(None, ge=0, lt=2**63)
    stop: Stop | Annotated[list[Stop], Field(max_length=8)] | None = None
    stream: bool | None = Field(None, description="Send the answer while it is generated.")
    stream_options: StreamOptions | None = None
    n: Literal[1] | None = None


def chat_router(schemas: TaskSchemas) -> APIRouter:
    """Return the route `POST /v1/chat/completions`."""
    router = APIRouter(prefix="/v1")

    @router.post("/chat/completions")
    async def chat(request: Request, body: ChatRequest) -> Response:
        """Continue a chat as OpenAI's API does."""
        parameters = schemas.parameters(
            max_new_tokens=body.max_completion_tokens or body.max_tokens or 256,
            do_sample=False if body.temperature is not None and body.temperature < 0.01 else None,
            temperature=body.temperature if body.temperature is not None and body.temperature >= 0.01 else None,
            top_p=body.top_p,
            seed=body.seed,
            stop=[body.stop] if isinstance(body.stop, str) else body.stop or [],
        )
        engine = engine_of(request)
        model = cast(StreamingModel, engine.model)
        stream = Stream() if body.stream else None
        items: list[Item] = []

        def preprocess() -> list[Item]:
            chat = model.preprocess_chat([each.model_dump() for each in body.messages], parameters)
            items.extend(model.streaming(chat, stream) if stream else chat)
            return items

        work = engine.compute(1, preprocess)
        head = {"id": f"chatcmpl-{uuid.uuid4().hex}", "created": int(time.time()), "model": engine.name}
        if stream:
            await while_connected(request, stream.begin(work))
            with_usage = bool(body.stream_options and body.stream_options.include_usage)
            return EventStream(stream, _chunks(stream, items[0], head, with_usage), FAILURE)
        [(text, written)] = await while_connected(request, work)
        message = {"role": "assistant", "content": text}
        choice = {"index": 0, "message": message, "finish_reason": _finish_reason(items[0], written)}
        return Json({**head, "object": "chat.completion", "choices": [choice], "usage": _usage(items[0], written)})

    return router


async def _chunks(
    stream: Stream, item: Item, head: dict[str, Any], with_usage: bool
) -> AsyncIterator[dict[str, Any] | str]:
    head = {**head, "object": "chat.completion.chunk"}
    if with_usage:
        head["usage"] = None

    def chunk(finish_reason: str | None = None, **delta: str) -> dict[str, Any]:
        return {**head, "choices": [{"index": 0, "delta": delta, "finish_reason": finish_reason}]}

    yield chunk(role="assistant", content="")
    sent = ""
    async for piece in stream:
        if piece.text:
            sent += piece.text
            yield chunk(content=piece.text)
    text, written = await stream.result()
    if rest := text[len(sent) :]:
        yield chunk(content=rest)
    yield chunk(_finish_reason(item, written))
    if with_usage:
        yield {**head, "choices": [], "usage": _usage(item, written)}
    yield DONE


def _finish_reason(item: Item, written: int) -> str:
    return "length" if written >= item.parameters.max_new_tokens else "stop"


def _usage(item: Item, written: int) -> dict[str, int]:
    prompt = len(item.value.ids)
    return {"prompt_tokens": prompt, "completion_tokens": written, "total_tokens": prompt + written}
