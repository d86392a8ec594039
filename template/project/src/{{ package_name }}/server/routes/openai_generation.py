"""What requests for chats and completions in OpenAI's format have in common."""

import time
import uuid
from collections.abc import AsyncIterator, Sequence
from typing import Annotated, Any

from pydantic import Field

from ...inference.batching import Item
from ...inference.schemas import TaskSchemas
from ..error_handlers import openai_error
from ..streaming import Stream
from .openai_request import OpenAIModel, OpenAIRequest, only

FAILURE = openai_error("the prediction failed; the server's log says why", 500)
"""Last event of a stream that breaks off."""

Stop = Annotated[str, Field(min_length=1)]


class StreamOptions(OpenAIModel):
    """Contents of a stream beside the text."""

    include_usage: bool = Field(False, description="Send the token counts in an extra event before the end.")
    include_obfuscation: bool = Field(False, description="Taken, without an effect.")


class GenerationRequest(OpenAIRequest):
    """Fields of chats and completions."""

    temperature: float | None = Field(None, ge=0, le=10, description="Below 0.01 the most likely token is taken.")
    top_p: float | None = Field(None, gt=0, le=1)
    top_k: int | None = Field(None, ge=-1, description="Sample among this many tokens; 0 and -1 are no limit.")
    repetition_penalty: float | None = Field(None, ge=0.01, le=10, description="Above 1 repeats less.")
    seed: int | None = Field(None, ge=-(2**63), lt=2**63)
    stop: Stop | Annotated[list[Stop], Field(max_length=8)] | None = None
    stream: bool = Field(False, description="Send the answer while it is generated.")
    stream_options: StreamOptions = StreamOptions()
    n: Annotated[Any, only(1)] = 1
    frequency_penalty: Annotated[Any, only(0)] = 0
    presence_penalty: Annotated[Any, only(0)] = 0
    logit_bias: Annotated[Any, only({})] = None

    def parameters(self, schemas: TaskSchemas, max_tokens: int | None, default_tokens: int) -> Any:
        """Return the parameters of the prediction.

        Args:
            schemas: Types of the task.
            max_tokens: Maximum length of the text that the client wants, in tokens.
            default_tokens: That length if the client says nothing; the model lowers it if less fits.
        """
        temperature = self.temperature
        parameters = schemas.parameters(
            max_new_tokens=max_tokens or default_tokens,
            do_sample=False if temperature is not None and temperature < 0.01 else None,
            temperature=temperature if temperature is not None and temperature >= 0.01 else None,
            top_p=self.top_p,
            top_k=self.top_k if self.top_k is not None and self.top_k > 0 else None,
            repetition_penalty=self.repetition_penalty,
            seed=None if self.seed is None else self.seed % 2**63,
            stop=[self.stop] if isinstance(self.stop, str) else self.stop or [],
        )
        if max_tokens is None:
            parameters.model_fields_set.discard("max_new_tokens")
        return parameters


def response_head(prefix: str, model: str) -> dict[str, Any]:
    """Return the first fields of a response, or of every event of a stream."""
    return {"id": f"{prefix}-{uuid.uuid4().hex}", "created": int(time.time()), "model": model}


async def texts_of(stream: Stream) -> AsyncIterator[str]:
    """Yield the texts of a stream, which together are its result's."""
    sent = ""
    async for piece in stream:
        if piece.text:
            sent += piece.text
            yield piece.text
    text, _ = await stream.result()
    if rest := text[len(sent) :]:
        yield rest


def finish_reason(item: Item, written: int) -> str:
    """Return why a text of `written` tokens ends."""
    return "length" if written >= item.parameters.max_new_tokens else "stop"


def usage(items: Sequence[Item], written: int) -> dict[str, int]:
    """Return the token counts of prompts and of what was written."""
    prompt = sum(len(item.value.ids) for item in items)
    return {"prompt_tokens": prompt, "completion_tokens": written, "total_tokens": prompt + written}
