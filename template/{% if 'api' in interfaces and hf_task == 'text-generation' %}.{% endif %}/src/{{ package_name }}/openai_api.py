"""OpenAI's chat route, for its clients and those that speak like them."""

import time
import uuid
from typing import Annotated, Literal

from fastapi import APIRouter, Request
from fastapi.responses import JSONResponse
from pydantic import BaseModel, Field

from .engine import Engine
from .settings import get_settings
from .task import Parameters

router = APIRouter(prefix="/v1")


class Message(BaseModel):
    """One turn of a chat."""

    role: Literal["system", "user", "assistant"]
    content: str


class ChatRequest(BaseModel):
    """https://platform.openai.com/docs/api-reference/chat/create"""

    model: str = Field("", description="Ignored: the server has one model.")
    messages: list[Message] = Field(min_length=1, max_length=1000)
    max_tokens: int | None = Field(None, ge=1, le=4096)
    max_completion_tokens: int | None = Field(None, ge=1, le=4096)
    temperature: float | None = Field(None, ge=0, le=10)
    top_p: float | None = Field(None, gt=0, le=1)
    seed: int | None = Field(None, ge=0, lt=2**63)
    stop: str | list[Annotated[str, Field(min_length=1)]] | None = None
    stream: Literal[False] | None = Field(None, description="Answers come whole.")
    n: Literal[1] | None = None


@router.post("/chat/completions")
async def chat(request: Request, body: ChatRequest) -> JSONResponse:
    """Continue a chat as OpenAI's API does."""
    engine: Engine = request.app.state.engine
    settings = get_settings()
    parameters = Parameters(
        max_new_tokens=body.max_completion_tokens or body.max_tokens or 256,
        do_sample=False if body.temperature == 0 else None,
        temperature=body.temperature or None,
        top_p=body.top_p,
        seed=body.seed,
        stop=[body.stop] if isinstance(body.stop, str) else body.stop or [],
    )
    prompt = await engine.call("chat_prompt", [message.model_dump() for message in body.messages])
    [generation] = await engine.predict([prompt], parameters)
    text = generation["generated_text"]
    asked = await engine.call("count_tokens", [prompt])
    written = await engine.call("count_tokens", [text]) if text else 0
    return JSONResponse(
        {
            "id": f"chatcmpl-{uuid.uuid4().hex}",
            "object": "chat.completion",
            "created": int(time.time()),
            "model": settings.model,
            "choices": [
                {
                    "index": 0,
                    "message": {"role": "assistant", "content": text},
                    "finish_reason": "length" if written >= parameters.max_new_tokens else "stop",
                }
            ],
            "usage": {"prompt_tokens": asked, "completion_tokens": written, "total_tokens": asked + written},
        }
    )
