"""Streams as Hugging Face's text-generation-inference sends them, for its clients."""

from collections.abc import AsyncIterator, Sequence
from typing import Any

from starlette.requests import Request

from .disconnects import while_connected
from .predictor import InvalidInput
from .streams import EventStream, Stream
from .task import Parameters

FAILURE = {"error": "the prediction failed; the server's log says why", "error_type": "generation"}


async def stream_text(request: Request, inputs: Sequence[str], parameters: Parameters) -> EventStream:
    """An event for each token, the last one with the whole text. Raises InvalidInput, also for several inputs."""
    if len(inputs) > 1:
        raise InvalidInput(f"stream: one input at a time can be streamed, not {len(inputs)}")
    engine = request.app.state.engine
    predictor = engine.predictor
    stream = Stream()
    items: list[Any] = []

    def prepare() -> list[Any]:
        plain = parameters.model_copy(update={"stream": False, "details": False})
        items.extend(predictor.streaming(predictor.prepare(inputs, plain), stream))
        return items

    await while_connected(request, stream.begin(engine.compute(1, prepare)))
    return EventStream(stream, _events(stream, inputs[0], parameters, len(items[0].value.ids)), FAILURE)


async def _events(stream: Stream, prompt: str, parameters: Parameters, asked: int) -> AsyncIterator[dict[str, Any]]:
    event: dict[str, Any] = {}
    count, sent, held = 0, "", False
    async for piece in stream:
        if held:
            yield event
        count += 1
        sent += piece.text
        event = {"index": count, "token": piece._asdict(), "generated_text": None, "details": None}
        held = count == parameters.max_new_tokens or not piece.text  # it may be the last, which has the whole text
        if not held:
            yield event
    text, _ = await stream.result()
    token = event["token"]
    token["text"] = (token["text"] if held else "") + text[len(sent) :]
    event["generated_text"] = (prompt if parameters.return_full_text else "") + text
    if parameters.details:
        stopped = "eos_token" if token["special"] else "stop_sequence"
        event["details"] = {
            "finish_reason": "length" if count >= parameters.max_new_tokens else stopped,
            "generated_tokens": count,
            "input_length": asked,
            "seed": parameters.seed,
        }
    yield event
