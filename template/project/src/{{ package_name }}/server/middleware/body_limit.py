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


class BodyLimit:
    """ASGI middleware that raises HTTPException in a route that reads too large or too slow a body.

    413: the body is larger than the limit, announced or not. 408: it arrives more slowly than the minimum pace, so a
    body of `n` bytes takes at most GRACE_SECONDS + n / MIN_BYTES_PER_SECOND.
    """

    def __init__(self, app: ASGIApp, max_bytes: int, limits: Mapping[str, int] = MappingProxyType({})) -> None:
        """Limit bodies to `max_bytes`; `limits` maps prefixes of the path to other sizes."""
        self._app = app
        self._max_bytes = max_bytes
        self._limits = limits

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass the request on, with a limited body."""
        announced = dict(scope.get("headers", [])).get(b"content-length", b"")
        size = int(announced) if announced.isdigit() else 0
        path = scope.get("path", "")
        max_bytes = next((limit for prefix, limit in self._limits.items() if path.startswith(prefix)), self._max_bytes)
        received, complete, seconds_left = 0, False, GRACE_SECONDS

        async def limited() -> Message:
            nonlocal received, complete, seconds_left
            if complete:
                return await receive()
            if size > max_bytes:
                raise _too_large(max_bytes)
            began = time.monotonic()
            try:
                message = await asyncio.wait_for(receive(), seconds_left)
            except TimeoutError as error:
                reason = f"the request arrived at less than {MIN_BYTES_PER_SECOND:,} bytes a second"
                raise HTTPException(408, reason, {"Connection": "close"}) from error
            complete, arrived = not message.get("more_body", False), len(message.get("body", b""))
            received += arrived
            if received > max_bytes:
                raise _too_large(max_bytes)
            seconds_left += began - time.monotonic() + arrived / MIN_BYTES_PER_SECOND
            seconds_left = min(seconds_left, GRACE_SECONDS)
            return message

        await self._app(scope, limited if scope["type"] == "http" else receive, send)


def _too_large(max_bytes: int) -> HTTPException:
    return HTTPException(413, f"the request is larger than {max_bytes:,} bytes")
