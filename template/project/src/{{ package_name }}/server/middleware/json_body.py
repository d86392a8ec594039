"""Limits on JSON in request bodies, checked before it is parsed."""

from collections.abc import Iterable

from starlette.exceptions import HTTPException
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from ...json_limits import json_problem


class JsonBody:
    """ASGI middleware that raises HTTPException 422 in a route that reads JSON of too many values or too deep.

    It hands the body on as a whole.
    """

    def __init__(self, app: ASGIApp, unread: Iterable[str] = ()) -> None:
        """Check the bodies of requests to an application, but not below the paths `unread`, which keep no body."""
        self._app, self._unread = app, tuple(unread)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass the request on, with a body that was checked."""
        if scope["type"] != "http" or not _is_json(scope) or scope["path"].startswith(self._unread):
            await self._app(scope, receive, send)
            return
        read = False

        async def checked() -> Message:
            nonlocal read
            message = await receive()
            if read or message["type"] != "http.request":
                return message
            body: bytes = message.get("body", b"")
            if message.get("more_body", False):
                parts = [body]
                while message.get("more_body", False):
                    message = await receive()
                    if message["type"] != "http.request":
                        return message
                    parts.append(message.get("body", b""))
                body = b"".join(parts)
            read = True
            if problem := json_problem(body):
                raise HTTPException(422, f"body: {problem}")
            return {"type": "http.request", "body": body, "more_body": False}

        await self._app(scope, checked, send)


def _is_json(scope: Scope) -> bool:
    return any(name == b"content-type" and b"json" in value.lower() for name, value in scope["headers"])
