"""OpenAI's chat route, for its clients and those that speak like them."""

import time
import uuid
from typing import Annotated, Literal

from fastapi import APIRouter, Request
from fastapi.responses import JSONResponse
from pydantic import BaseModel, Field

from .engine import Engine
from .task import Parameters

router = APIRouter(prefix="/v1")


Stop = Annotated[str, Field(min_length=1)]


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
    temperature: float | None = Field(None, ge=0, le=10, description="Below 0.01 the likeliest token is taken.")
    top_p: float | None = Field(None, gt=0, le=1)
    seed: int | None = Field(None, ge=0, lt=2**63)
    stop: Stop | Annotated[list[Stop], Field(max_length=8)] | None = None
    stream: Literal[False] | None = Field(None, description="Answers come whole.")
    n: Literal[1] | None = None


@router.post("/chat/completions")
async def chat(request: Request, body: ChatRequest) -> JSONResponse:
    """Continue a chat as OpenAI's API does."""
    engine: Engine = request.app.state.engine
    parameters = Parameters(
        max_new_tokens=body.max_completion_tokens or body.max_tokens or 256,
        do_sample=False if body.temperature is not None and body.temperature < 0.01 else None,
        temperature=body.temperature if body.temperature is not None and body.temperature >= 0.01 else None,
        top_p=body.top_p,
        seed=body.seed,
        stop=[body.stop] if isinstance(body.stop, str) else body.stop or [],
    )
    text, asked, written = await engine.call("chat", [each.model_dump() for each in body.messages], parameters)
    return JSONResponse(
        {
            "id": f"chatcmpl-{uuid.uuid4().hex}",
            "object": "chat.completion",
            "created": int(time.time()),
            "model": engine.model,
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
