"""JSON of too many values, and too deep one, is refused before it is parsed."""

import asyncio
from typing import Any

import pytest
from starlette.exceptions import HTTPException
from starlette.requests import Request

from my_project.json_limits import MAX_DEPTH, MAX_VALUES
from my_project.server.middleware.json_body import JsonBody

CHARACTERS = 7
"""Size of a part of a body."""


def read(body: bytes, content_type: str = "application/json", path: str = "/predict") -> bytes:
    """Return the body that a route reads; it is sent in parts."""
    bodies = [body[at : at + CHARACTERS] for at in range(0, len(body), CHARACTERS)] or [b""]
    parts = [{"type": "http.request", "body": each, "more_body": True} for each in bodies]
    parts[-1]["more_body"] = False
    found = []

    async def receive() -> Any:
        return parts.pop(0)

    async def route(scope: Any, receive: Any, send: Any) -> None:
        found.append(await Request(scope, receive).body())

    headers = [(b"content-type", content_type.encode())]
    scope = {"type": "http", "method": "POST", "path": path, "headers": headers}
    app: Any = JsonBody(route, unread=["/files/"])
    asyncio.run(app(scope, receive, None))
    return found[0]


@pytest.mark.parametrize(
    ("body", "reason"),
    [
        (b"[" * (MAX_DEPTH + 1), f"body: nested more than {MAX_DEPTH} deep"),
        (b'{"a":' * (MAX_DEPTH + 1), f"body: nested more than {MAX_DEPTH} deep"),
        (b"1," * MAX_VALUES, f"body: more than {MAX_VALUES:,} values"),
    ],
)
def test_what_becomes_large_objects_is_refused(body: bytes, reason: str) -> None:
    for content_type in ("application/json", "Application/JSON; charset=utf-8", "application/ld+json"):
        with pytest.raises(HTTPException) as refused:
            read(body, content_type)
        assert (refused.value.status_code, refused.value.detail) == (422, reason)


@pytest.mark.parametrize(
    "body",
    [b"", b"no JSON", b"[" * MAX_DEPTH + b"]" * MAX_DEPTH, b'"' + b"[,{" * MAX_VALUES + b'"', b"1," * (MAX_VALUES - 1)],
)
def test_other_bodies_arrive_as_they_are(body: bytes) -> None:
    assert read(body) == body


def test_what_is_no_json_or_is_not_kept_is_not_looked_at() -> None:
    body = b"[" * (MAX_DEPTH + 1)
    assert read(body, "text/plain") == body
    assert read(body, path="/files/a.json") == body


def test_a_client_that_leaves_in_the_middle_is_noticed() -> None:
    messages = [{"type": "http.request", "body": b"[", "more_body": True}, {"type": "http.disconnect"}]
    seen = []

    async def receive() -> Any:
        return messages.pop(0)

    async def route(scope: Any, receive: Any, send: Any) -> None:
        seen.append(await receive())

    scope = {"type": "http", "path": "/predict", "headers": [(b"content-type", b"application/json")]}
    app: Any = JsonBody(route)
    asyncio.run(app(scope, receive, None))
    assert seen == [{"type": "http.disconnect"}]
