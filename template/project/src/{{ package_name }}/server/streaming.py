"""Responses that are sent while they are computed, as server-sent events."""

import asyncio
import logging
import time
from collections.abc import AsyncIterator, Coroutine, Sequence
from typing import Any, Protocol

from fastapi.responses import StreamingResponse
from prometheus_client import Counter, Histogram
from starlette.types import Receive, Scope, Send

from ..inference.batching import Item
from ..task.detokenizer import Piece
from .responses import encode

logger = logging.getLogger(__name__)

FIRST_TOKEN_SECONDS = Histogram("predict_first_token_seconds", "Time from the request of a stream to its first token.")
STREAMED_TOKENS = Counter("predict_streamed_tokens", "Tokens computed for streams.")

DONE = "[DONE]"
"""Last event of OpenAI's streams."""


class StreamingModel(Protocol):
    """What streams and chats need of a model, beside InferenceModel."""

    def preprocess(self, inputs: Sequence[str], parameters: Any) -> list[Item]:
        """Return an item for each prompt; its value has the prompt's token ids as `ids`."""
        ...

    def preprocess_ids(self, prompts: Sequence[list[int]], parameters: Any) -> list[Item]:
        """Return an item for each prompt, which is given as token ids; it results in a Turn."""
        ...

    def preprocess_chat(self, messages: list[dict[str, Any]], parameters: Any) -> list[Item]:
        """Return the item of a chat."""
        ...

    def streaming(self, items: Sequence[Item], reader: "Stream") -> list[Item]:
        """Return the items such that each is computed alone, gives its text to the reader and results in a Turn."""
        ...


class Stream:
    """Queue of text pieces from the computing thread to one response. Create it on the event loop."""

    def __init__(self) -> None:
        """Create an empty queue."""
        self.wanted = True
        """Whether the client still reads; if not, the computation must stop."""
        self._created = time.perf_counter()
        self._loop = asyncio.get_running_loop()
        self._pieces: asyncio.Queue[Piece | None] = asyncio.Queue()  # None is the end
        self._next: Piece | None = None
        self._work: asyncio.Future[list[Any]] = self._loop.create_future()

    def put(self, piece: Piece) -> None:
        """Add a piece, from any thread."""
        self._loop.call_soon_threadsafe(self._pieces.put_nowait, piece)

    async def begin(self, work: Coroutine[Any, Any, list[Any]]) -> None:
        """Start the work and return when its first piece has arrived. Raises what the work raises before that."""
        self._work = asyncio.ensure_future(work)
        self._work.add_done_callback(self._end)
        try:
            self._next = await self._pieces.get()
            if self._next is None:
                await self._work
        except BaseException:
            self.close()
            raise
        FIRST_TOKEN_SECONDS.observe(time.perf_counter() - self._created)

    async def __aiter__(self) -> AsyncIterator[Piece]:
        """Yield the pieces."""
        while self._next is not None:
            STREAMED_TOKENS.inc()
            yield self._next
            self._next = await self._pieces.get()

    async def result(self) -> Any:
        """Wait for the end of the work and return the result of its only item. Raises what the work raises."""
        [result] = await self._work
        return result

    def close(self) -> None:
        """Stop the work, unless it has ended."""
        self.wanted = False
        self._work.cancel()

    def _end(self, work: asyncio.Future[list[Any]]) -> None:
        if not work.cancelled():
            work.exception()  # mark it as retrieved: a closed stream never awaits it
        self._pieces.put_nowait(None)


class EventStream(StreamingResponse):
    """Response of server-sent events. A client that disconnects stops the work.

    If the stream breaks off, `failure` is its last event.
    """

    def __init__(self, stream: Stream, events: AsyncIterator[Any], failure: Any) -> None:
        """Create a response of events: objects, which are sent as JSON, or text."""
        self._stream = stream
        headers = {"Cache-Control": "no-cache", "X-Accel-Buffering": "no"}  # proxies must not buffer
        super().__init__(_lines(events, failure), headers=headers, media_type="text/event-stream")

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Send the events."""
        try:
            await super().__call__(scope, receive, send)
        finally:
            self._stream.close()


async def _lines(events: AsyncIterator[Any], failure: Any) -> AsyncIterator[bytes]:
    try:
        async for event in events:
            yield _line(event)
    except Exception:
        logger.exception("a stream broke off")
        yield _line(failure)


def _line(event: Any) -> bytes:
    return b"data: " + (event.encode() if isinstance(event, str) else encode(event)) + b"\n\n"
