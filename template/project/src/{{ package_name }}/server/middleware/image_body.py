"""Image files as request bodies, which clients of the hub's inference API send."""

import base64
import json

from starlette.types import ASGIApp, Message, Receive, Scope, Send


class ImageBody:
    """ASGI middleware that turns a posted image, or a body of unknown type, into the equivalent JSON."""

    def __init__(self, app: ASGIApp) -> None:
        """Convert the bodies of requests to an application."""
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass the request on, with its image as JSON."""
        headers = dict(scope.get("headers", []))
        kind = headers.get(b"content-type", b"application/octet-stream").lower()
        if scope.get("method") != "POST" or not kind.startswith((b"image/", b"application/octet-stream")):
            await self._app(scope, receive, send)
            return
        headers[b"content-type"] = b"application/json"
        headers.pop(b"content-length", None)
        read = False

        async def converted() -> Message:
            nonlocal read
            if read:
                return await receive()
            read = True
            image = bytearray()
            while (message := await receive())["type"] == "http.request":
                image += message.get("body", b"")
                if not message.get("more_body", False):
                    break
            else:
                return message
            body = json.dumps({"inputs": base64.b64encode(image).decode()}).encode()
            return {"type": "http.request", "body": body, "more_body": False}

        await self._app({**scope, "headers": list(headers.items())}, converted, send)
