"""Limits on the size and the pace of request bodies."""

import asyncio
import time
from collections.abc import Mapping
from types import MappingProxyType

from starlette.exceptions import HTTPException
from starlette.types import ASGIApp, Message, Receive, Scope, Send

GRACE_SECONDS = 10.0
"""Maximum time for the next part of a body to arrive, and what a client may lag behind the minimum pace."""

MIN_BYTES_PER_SECOND = 10_000
"""Minimum pace of a body, measured while a route waits for it."""

MAX_INCOMPLETE_BYTES = 100_000_000
"""Maximum size of all bodies of a process that have begun to arrive. Those with a limit of their own do not count."""


class BodyLimit:
    """ASGI middleware that raises HTTPException in a route that reads too large or too slow a body.

    413: the body is larger than the limit, announced or not. 408: it arrives more slowly than the minimum pace, so a
    body of `n` bytes takes at most GRACE_SECONDS + n / MIN_BYTES_PER_SECOND. 503: too many bodies are incomplete.
    """

    def __init__(self, app: ASGIApp, max_bytes: int, limits: Mapping[str, int] = MappingProxyType({})) -> None:
        """Limit bodies to `max_bytes`; `limits` maps prefixes of the path to other sizes: routes that keep no body."""
        self._app = app
        self._max_bytes = max_bytes
        self._limits = limits
        self._incomplete_bytes = 0

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass the request on, with a limited body."""
        announced = dict(scope.get("headers", [])).get(b"content-length", b"")
        size = int(announced) if announced.isdigit() else 0
        path = scope.get("path", "")
        own = next((limit for prefix, limit in self._limits.items() if path.startswith(prefix)), None)
        max_bytes = self._max_bytes if own is None else own
        received, held, complete, seconds_left = 0, 0, False, GRACE_SECONDS

        async def limited() -> Message:
            nonlocal received, held, complete, seconds_left
            if complete:
                return await receive()
            if size > max_bytes:
                raise _too_large(max_bytes)
            began = time.monotonic()
            try:
                async with asyncio.timeout(seconds_left):  # unlike wait_for, without a task of its own
                    message = await receive()
            except TimeoutError as error:
                reason = f"the request arrived at less than {MIN_BYTES_PER_SECOND:,} bytes a second"
                raise HTTPException(408, reason, {"Connection": "close"}) from error
            complete, arrived = not message.get("more_body", False), len(message.get("body", b""))
            received += arrived
            if received > max_bytes:
                raise _too_large(max_bytes)
            if own is None:
                now_held = 0 if complete else received
                self._incomplete_bytes += now_held - held
                held = now_held
                if self._incomplete_bytes > MAX_INCOMPLETE_BYTES:
                    raise HTTPException(503, "too many requests arrive at once", {"Retry-After": "1"})
            seconds_left += began - time.monotonic() + arrived / MIN_BYTES_PER_SECOND
            seconds_left = min(seconds_left, GRACE_SECONDS)
            return message

        try:
            await self._app(scope, limited if scope["type"] == "http" else receive, send)
        finally:
            self._incomplete_bytes -= held


def _too_large(max_bytes: int) -> HTTPException:
    return HTTPException(413, f"the request is larger than {max_bytes:,} bytes")
