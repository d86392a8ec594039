"""Limits on the size and the pace of request bodies."""

import asyncio
from collections.abc import Mapping
from types import MappingProxyType

from starlette.exceptions import HTTPException
from starlette.types import ASGIApp, Message, Receive, Scope, Send

PART_TIMEOUT_SECONDS = 10.0
"""Maximum time for the next part of a body to arrive."""


class BodyLimit:
    """ASGI middleware that raises HTTPException in a route that reads too large or too slow a body.

    413: the body is larger than the limit, announced or not. 408: its next part did not arrive in time.
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
        received, complete = 0, False

        async def limited() -> Message:
            nonlocal received, complete
            message: Message = {}
            if size <= max_bytes:
                try:
                    message = await asyncio.wait_for(receive(), None if complete else PART_TIMEOUT_SECONDS)
                except TimeoutError as error:
                    reason = f"the rest of the request did not arrive within {PART_TIMEOUT_SECONDS:g} s"
                    raise HTTPException(408, reason) from error
                complete = not message.get("more_body", False)
            received += len(message.get("body", b""))
            if max(size, received) > max_bytes:
                raise HTTPException(413, f"the request is larger than {max_bytes:,} bytes")
            return message

        await self._app(scope, limited if scope["type"] == "http" else receive, send)
