"""Answers that are sent while they are computed, as server-sent events."""

import asyncio
import logging
import time
from collections.abc import AsyncIterator, Coroutine
from typing import Any

from fastapi.responses import StreamingResponse
from prometheus_client import Counter, Histogram
from starlette.types import Receive, Scope, Send

from .detokenizer import Piece
from .responses import encode

logger = logging.getLogger(__name__)

FIRST = Histogram("predict_first_token_seconds", "Time from the request of a stream to its first token.")
TOKENS = Counter("predict_streamed_tokens", "Tokens that were computed for streams.")

DONE = "[DONE]"
"""The last event of OpenAI's streams."""


class Stream:
    """What one request reads while it is computed. Made on the event loop; the computing thread calls `put`."""

    def __init__(self) -> None:
        self.wanted = True
        """Whether anybody reads it; where not, the computation is to stop."""
        self._asked = time.perf_counter()
        self._loop = asyncio.get_running_loop()
        self._pieces: asyncio.Queue[Piece | None] = asyncio.Queue()  # None is the end
        self._next: Piece | None = None
        self._work: asyncio.Future[list[Any]] = self._loop.create_future()

    def put(self, piece: Piece) -> None:
        """Gives a piece from any thread."""
        self._loop.call_soon_threadsafe(self._pieces.put_nowait, piece)

    async def begin(self, work: Coroutine[Any, Any, list[Any]]) -> None:
        """Starts the work, and returns when its first piece is there. Raises what it raises before."""
        self._work = asyncio.ensure_future(work)
        self._work.add_done_callback(self._end)
        try:
            self._next = await self._pieces.get()
            if self._next is None:
                await self._work
        except BaseException:
            self.close()
            raise
        FIRST.observe(time.perf_counter() - self._asked)

    async def __aiter__(self) -> AsyncIterator[Piece]:
        while self._next is not None:
            TOKENS.inc()
            yield self._next
            self._next = await self._pieces.get()

    async def result(self) -> Any:
        """What the work returns in the end for its only item. Raises what it raises."""
        [result] = await self._work
        return result

    def close(self) -> None:
        """Stops the work, if there is any left."""
        self.wanted = False
        self._work.cancel()

    def _end(self, work: asyncio.Future[list[Any]]) -> None:
        if not work.cancelled():
            work.exception()  # has been seen: nobody may ask for it any more
        self._pieces.put_nowait(None)


class EventStream(StreamingResponse):
    """Sends events; `failure` is the last one where the stream breaks. A client that goes stops the work."""

    def __init__(self, stream: Stream, events: AsyncIterator[Any], failure: Any) -> None:
        self._stream = stream
        headers = {"Cache-Control": "no-cache", "X-Accel-Buffering": "no"}  # proxies pass on what they have
        super().__init__(_lines(events, failure), headers=headers, media_type="text/event-stream")

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
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
