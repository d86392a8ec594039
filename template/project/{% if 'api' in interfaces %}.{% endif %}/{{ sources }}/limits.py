"""Refuses a request body that is too large before it is held in memory, or does not come to its end."""

import asyncio
from collections.abc import Mapping
from types import MappingProxyType

from starlette.exceptions import HTTPException
from starlette.types import ASGIApp, Message, Receive, Scope, Send

SECONDS = 10.0
"""Time for each part of a body to come."""


class BodyLimit:
    """ASGI middleware: a route that reads more than `max_bytes`, announced or not, meets an HTTPException of 413.

    One that waits in vain for the next part of the body meets one of 408. `below` has other limits, by a path's start.
    """

    def __init__(self, app: ASGIApp, max_bytes: int, below: Mapping[str, int] = MappingProxyType({})) -> None:
        self._app = app
        self._max_bytes = max_bytes
        self._below = below

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        announced = dict(scope.get("headers", [])).get(b"content-length", b"")
        size = int(announced) if announced.isdigit() else 0
        path = scope.get("path", "")
        max_bytes = next((limit for start, limit in self._below.items() if path.startswith(start)), self._max_bytes)
        received, complete = 0, False

        async def limited() -> Message:
            nonlocal received, complete
            message: Message = {}
            if size <= max_bytes:
                try:
                    message = await asyncio.wait_for(receive(), None if complete else SECONDS)
                except TimeoutError as error:
                    raise HTTPException(408, f"the rest of the request did not come within {SECONDS:g} s") from error
                complete = not message.get("more_body", False)
            received += len(message.get("body", b""))
            if max(size, received) > max_bytes:
                raise HTTPException(413, f"the request is larger than {max_bytes:,} bytes")
            return message

        await self._app(scope, limited if scope["type"] == "http" else receive, send)
