"""uvicorn's HTTP protocol with limits on heads of requests, on the patience with slow clients, and on connections.

BodyLimit limits the bodies.
"""

import asyncio
import sys
from contextlib import suppress
from typing import Any
from weakref import WeakKeyDictionary

from prometheus_client import Counter, Gauge
from starlette.requests import Request
from starlette.types import ASGIApp, Receive, Scope, Send
from uvicorn import Config
from uvicorn.protocols.http.httptools_impl import STATUS_LINE, HttpToolsProtocol
from uvicorn.server import ServerState

from .error_handlers import error_response
from .responses import encode

CONNECTIONS = Gauge("http_connections", "Open connections.", multiprocess_mode="livesum")
REFUSED = Counter("http_refused", "Connections and requests that no route saw, by reason.", ["reason"])

MAX_HEAD_BYTES = 1 << 16
"""Maximum size of a head, and of trailers and chunk extensions without a part of the body."""

MAX_HEADERS = 200
"""Maximum number of headers of a request."""

MAX_URL_BYTES = 1 << 14
"""Maximum length of path and query."""

MAX_PIPELINED = 16
"""Maximum number of requests that wait for the answer to an earlier one of their connection."""

HEAD_SECONDS = 20.0
"""Maximum time for a whole head, from the connection or from its first byte."""

LINGER_SECONDS = 2.0
"""Maximum time for the rest of a body after the response. It is not read, but a client may send all before it reads."""

LAST_REQUEST_SECONDS = 2
"""Time for which an idle connection stays open after SIGTERM, for a request that may be on its way."""

STALL_SECONDS = 30.0
"""Time in which a client must take MIN_TAKEN_BYTES of a response, or all that is left."""

MIN_TAKEN_BYTES = 1 << 16

RESERVED_SHARE = 0.05
"""Part of the connections that serves health checks and metrics alone, however busy the server is."""

RESERVED_DESCRIPTORS = 100
"""File descriptors that are left to everything else."""


class HttpProtocol(HttpToolsProtocol):
    """A connection. uvicorn's setting `limit_concurrency` is the maximum number of connections of a process.

    One more takes the place of the connection that has waited longest for its client: an idle one, or one without a
    whole head. If none waits, the new one is closed. If all but the reserved ones are busy, requests get 503.
    """

    def __init__(
        self,
        config: Config,
        server_state: ServerState,
        app_state: dict[str, Any],
        _loop: asyncio.AbstractEventLoop | None = None,
    ) -> None:
        """Prepare for a connection."""
        super().__init__(config, server_state, app_state, _loop)
        if server_state not in _PLACES:
            _PLACES[server_state] = _Places(config.limit_concurrency)
        self._places = _PLACES[server_state]
        self.limit_concurrency = None  # uvicorn would refuse health checks, too
        self._application: Any = self.app
        self.url = b""  # before the first request, too
        self._in_head = self._in_body = self._is_ending = False
        self._unparsed = 0  # bytes since data that ended a head or a body, or had a part of a body
        self._refusal = (400, "not a valid HTTP request")
        self._due: float | None = None  # when the client must have sent or taken something
        self._timer: asyncio.TimerHandle | None = None  # at `_due` or before it: most are lifted in time
        self._unsent = 0  # bytes of responses when `_due` was set

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Accept the connection, in place of another one if there are too many."""
        super().connection_made(transport)
        CONNECTIONS.set(len(self.connections))
        if len(self.connections) > self._places.maximum:
            REFUSED.labels("full").inc()
            closed = next(iter(self._places.waiting), self)
            self._places.waiting.pop(closed, None)
            closed.transport.abort()
        if not transport.is_closing():
            self._places.waiting[self] = None
            self._expect_within(HEAD_SECONDS)

    def connection_lost(self, exc: Exception | None) -> None:
        """Forget the connection."""
        super().connection_lost(exc)
        CONNECTIONS.set(len(self.connections))
        self._places.waiting.pop(self, None)
        if self._timer:
            self._timer.cancel()

    def data_received(self, data: bytes) -> None:
        """Parse data, and limit what is not parsed yet."""
        unparsed = self._unparsed
        self._unparsed += len(data)
        super().data_received(data)
        if self._unparsed > MAX_HEAD_BYTES and not self.transport.is_closing():
            self._refuse(*self._too_large())
        elif self._unparsed and not unparsed and not self._in_body and self.cycle and not self._is_answering:
            self._expect_within(HEAD_SECONDS)

    def on_message_begin(self) -> None:
        """Begin a head."""
        super().on_message_begin()
        self._in_head = True

    def on_header(self, name: bytes, value: bytes) -> None:
        """Add a header; ignore a trailer, which must not change a request that a route has seen."""
        if self._in_body:
            return
        if len(self.headers) >= MAX_HEADERS:
            self._refusal = self._too_large()
            raise ValueError
        super().on_header(name, value)

    def on_headers_complete(self) -> None:
        """Begin to answer the request."""
        if self._unparsed > MAX_URL_BYTES:  # else the head is small
            size = len(self.url) + sum(len(name) + len(value) for name, value in self.headers)
            if len(self.url) > MAX_URL_BYTES or size > MAX_HEAD_BYTES:
                self._refusal = self._too_large()
                raise ValueError
        if len(self.pipeline) >= MAX_PIPELINED:
            raise ValueError
        self._in_head, self._in_body, self._unparsed = False, True, 0
        if not self.flow.write_paused:
            self._due = None
        self._places.waiting.pop(self, None)
        is_full = len(self.connections) - len(self._places.waiting) > self._places.max_busy
        self.app = self._answer_routine if is_full else self._application
        super().on_headers_complete()
        if self._is_ending and self.cycle:
            self.cycle.keep_alive = False  # the response says so

    def on_body(self, body: bytes) -> None:
        """Take a part of the body."""
        self._unparsed = 0
        super().on_body(body)

    def on_message_complete(self) -> None:
        """End the request."""
        self._in_body, self._unparsed = False, 0
        super().on_message_complete()

    def on_response_complete(self) -> None:
        """Wait for the client: for the rest of its request, for its next one, and until it has read the response."""
        super().on_response_complete()
        if self._is_answering:
            return  # the next request
        if self.transport.get_write_buffer_size():
            self._expect_reading()
        elif self._in_body:
            self._expect_within(LINGER_SECONDS)
        elif self._unparsed:
            self._expect_within(HEAD_SECONDS)
        if not self.transport.is_closing():
            self._places.waiting[self] = None

    def shutdown(self) -> None:
        """Close the connection after a response that says so, or once its client has sent nothing for a while.

        uvicorn closes an idle connection at once, and one whose response has begun without a word to the client. A
        request that is on its way would be lost.
        """
        self._is_ending = True
        self.timeout_keep_alive = LAST_REQUEST_SECONDS
        if not self._is_answering:
            self._unset_keepalive_if_required()
            self.timeout_keep_alive_task = self.loop.call_later(LAST_REQUEST_SECONDS, self.timeout_keep_alive_handler)
        elif not self.cycle.response_started:
            self.cycle.keep_alive = False

    def pause_writing(self) -> None:
        """Wait for a client that reads slowly."""
        super().pause_writing()
        self._expect_reading()

    def send_400_response(self, msg: str) -> None:
        """Refuse a request that the parser, or a method of this class, has rejected."""
        self._refuse(*self._refusal)

    @property
    def _is_answering(self) -> bool:
        return self.cycle is not None and not self.cycle.response_complete

    def _too_large(self) -> tuple[int, str]:
        if len(self.url) > MAX_URL_BYTES:
            return 414, f"the path is longer than {MAX_URL_BYTES:,} bytes"
        return 431, f"the headers are larger than {MAX_HEAD_BYTES:,} bytes or more than {MAX_HEADERS}"

    def _refuse(self, status: int, message: str) -> None:
        """Close the connection, and answer with an error if no response has begun."""
        REFUSED.labels(str(status)).inc()
        if self.pipeline or (self._is_answering and self.cycle.response_started):
            self.transport.abort()
            return
        if self._is_answering:
            self.cycle.disconnected = True
            self.cycle.message_event.set()
        body = encode({"error": message})
        head = b"content-type: application/json\r\ncontent-length: %d\r\nconnection: close\r\n\r\n" % len(body)
        self.transport.write(STATUS_LINE[status] + head + body)
        self.transport.close()
        self._expect_reading()

    async def _answer_routine(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a request when the server is full."""
        app: ASGIApp = self._application
        if scope["path"] not in self.app_state.get("routine_paths", ()):
            REFUSED.labels("busy").inc()
            message = f"all {self._places.max_busy:,} connections are busy"
            app = error_response(Request(scope), 503, message, {"Retry-After": "1"})
        await app(scope, receive, send)

    def _expect_reading(self) -> None:
        self._unsent = self.transport.get_write_buffer_size()
        self._expect_within(STALL_SECONDS)

    def _expect_within(self, seconds: float) -> None:
        """Close the connection unless its client does its part in time."""
        self._due = self.loop.time() + seconds
        if self._timer and self._timer.when() > self._due:
            self._timer.cancel()
            self._timer = None
        self._timer = self._timer or self.loop.call_at(self._due, self._check)

    def _check(self) -> None:
        self._timer = None
        if self._due is None:
            return
        if self.loop.time() < self._due:
            self._timer = self.loop.call_at(self._due, self._check)
            return
        self._due = None
        unsent = self.transport.get_write_buffer_size()
        if unsent and unsent <= self._unsent - MIN_TAKEN_BYTES:
            self._expect_reading()
        elif unsent or not (self._in_head or self._is_answering):
            REFUSED.labels("slow").inc()
            self.transport.abort()
        elif not self._is_answering:
            self._refuse(408, f"the headers did not arrive within {HEAD_SECONDS:g} s")


class _Places:
    """The number of connections of a server, and those that wait for their clients, the longest first."""

    def __init__(self, max_connections: int | None) -> None:
        """Allow a number of connections, as far as there are file descriptors."""
        self.maximum = _possible_connections(max_connections)
        self.max_busy = self.maximum - max(1, int(self.maximum * RESERVED_SHARE))
        self.waiting: dict[HttpProtocol, None] = {}


_PLACES: WeakKeyDictionary[ServerState, _Places] = WeakKeyDictionary()


def _possible_connections(wanted: int | None) -> int:
    """Return how many connections are possible, after raising the limit of file descriptors as far as is allowed."""
    if sys.platform == "win32":
        return wanted or sys.maxsize
    import resource

    limits = resource.getrlimit(resource.RLIMIT_NOFILE)
    limit, hard = (sys.maxsize if each == resource.RLIM_INFINITY else each for each in limits)
    raised = min(hard, (wanted or 0) + RESERVED_DESCRIPTORS)
    if raised > limit:
        with suppress(OSError, ValueError):
            resource.setrlimit(resource.RLIMIT_NOFILE, (raised, hard))
            limit = raised
    possible = max(10, limit - RESERVED_DESCRIPTORS)
    return min(wanted or possible, possible)
