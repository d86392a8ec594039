"""Streams in the format of Hugging Face's text-generation-inference."""

from collections.abc import AsyncIterator, Sequence
from typing import Any, cast

from starlette.requests import Request

from ...errors import InvalidInputError
from ...inference.batching import Item
from ...inference.engine import Engine
from ..disconnects import while_connected
from ..streaming import EventStream, Stream, StreamingModel

FAILURE = {"error": "the prediction failed; the server's log says why", "error_type": "generation"}


async def stream_text(request: Request, engine: Engine, inputs: Sequence[str], parameters: Any) -> EventStream:
    """Return a stream with an event for each token, the last one with the whole text.

    Raises:
        InvalidInputError: The model cannot take the input, or there are several.
    """
    if len(inputs) > 1:
        raise InvalidInputError(f"stream: one input at a time can be streamed, not {len(inputs)}")
    model = cast(StreamingModel, engine.model)
    stream = Stream()
    items: list[Item] = []

    def preprocess() -> list[Item]:
        plain = parameters.model_copy(update={"stream": False, "details": False})
        items.extend(model.streaming(model.preprocess(inputs, plain), stream))
        return items

    work = engine.compute(1, preprocess, lambda: engine.model.is_large(inputs))
    await while_connected(request, stream.begin(work))
    return EventStream(stream, _events(stream, inputs[0], parameters, items[0]), FAILURE)


async def _events(stream: Stream, prompt: str, parameters: Any, item: Item) -> AsyncIterator[dict[str, Any]]:
    max_new_tokens = item.parameters.max_new_tokens  # which the model may have lowered
    event: dict[str, Any] = {}
    count, sent, held = 0, "", False
    async for piece in stream:
        if held:
            yield event
        count += 1
        sent += piece.text
        event = {"index": count, "token": piece._asdict(), "generated_text": None, "details": None}
        held = count == max_new_tokens or not piece.text  # may be the last event, which has the whole text
        if not held:
            yield event
    text, _ = await stream.result()
    token = event["token"]
    token["text"] = (token["text"] if held else "") + text[len(sent) :]
    event["generated_text"] = (prompt if parameters.return_full_text else "") + text
    if parameters.details:
        stopped = "eos_token" if token["special"] else "stop_sequence"
        event["details"] = {
            "finish_reason": "length" if count >= max_new_tokens else stopped,
            "generated_tokens": count,
            "input_length": len(item.value.ids),
            "seed": parameters.seed,
        }
    yield event
