"""Refuses a request body that is too large before it is held in memory."""

from starlette.exceptions import HTTPException
from starlette.types import ASGIApp, Message, Receive, Scope, Send


class BodyLimit:
    """ASGI middleware: a route that reads more than `max_bytes`, announced or not, meets an HTTPException of 413."""

    def __init__(self, app: ASGIApp, max_bytes: int) -> None:
        self._app = app
        self._max_bytes = max_bytes

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        announced = dict(scope.get("headers", [])).get(b"content-length", b"")
        size = int(announced) if announced.isdigit() else 0
        received = 0

        async def limited() -> Message:
            nonlocal received
            message: Message = {} if size > self._max_bytes else await receive()
            received += len(message.get("body", b""))
            if max(size, received) > self._max_bytes:
                raise HTTPException(413, f"the request is larger than {self._max_bytes:,} bytes")
            return message

        await self._app(scope, limited if scope["type"] == "http" else receive, send)
