"""The demo page at `/`, with its style and scripts. It loads nothing from other servers and needs no build step."""

from collections.abc import Awaitable, Callable, Mapping
from pathlib import Path

from fastapi import FastAPI
from starlette.requests import Request
from starlette.responses import Response

from ...base_settings import ServiceSettings

FILES = {
    "/": ("page.html", "text/html"),
    "/demo/style.css": ("style.css", "text/css"),
    "/demo/request.js": ("request.js", "text/javascript"),
    "/demo/task.js": ("task.js", "text/javascript"),
}
"""File and media type of each path."""

PATHS = frozenset(FILES)
"""Paths of the page. None needs an API key to be read: predictions do, and the page asks for one."""

DOCS_LINK = b'<a href="docs">API documentation</a>'

POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' blob: data:; connect-src 'self'; "
    "base-uri 'none'; form-action 'none'; frame-ancestors {frames}"
)
"""Content security policy: no inline script, no other server."""


def add_demo(app: FastAPI, settings: ServiceSettings) -> None:
    """Add the demo page to an application."""
    headers = {
        "Cache-Control": "no-cache",
        "Content-Security-Policy": POLICY.format(frames=settings.demo_frames or "'none'"),
        "Referrer-Policy": "no-referrer",
        "X-Content-Type-Options": "nosniff",
    }
    folder = Path(__file__).with_name("assets")
    for path, (name, media_type) in FILES.items():
        content = (folder / name).read_bytes()
        if not settings.docs:
            content = content.replace(DOCS_LINK, b"")
        app.add_route(path, _file(content, media_type, headers), include_in_schema=False)


def _file(content: bytes, media_type: str, headers: Mapping[str, str]) -> Callable[[Request], Awaitable[Response]]:
    async def file(request: Request) -> Response:
        return Response(content, headers=headers, media_type=media_type)

    return file
