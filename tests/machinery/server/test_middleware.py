"""Middleware: body limits, request ids and CORS."""

import asyncio
from typing import Any

import pytest
from fastapi.testclient import TestClient
from starlette.exceptions import HTTPException
from starlette.types import Receive, Scope, Send

from my_project import components
from my_project.server.asgi import create
from my_project.server.middleware import body_limit


def test_a_body_that_stops_half_way_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    async def read(scope: Scope, receive: Receive, send: Send) -> None:
        await receive()

    async def never(*_: Any) -> Any:
        await asyncio.Event().wait()

    monkeypatch.setattr(body_limit, "GRACE_SECONDS", 0.05)
    with pytest.raises(HTTPException) as refused:
        asyncio.run(body_limit.BodyLimit(read, max_bytes=100)({"type": "http", "headers": []}, never, never))
    assert refused.value.status_code == 408


@pytest.mark.parametrize("given", ["a-request.1", "two words", "x" * 1000, ""])
def test_a_request_has_an_id_which_its_client_may_give(client: TestClient, given: str) -> None:
    answer = client.get("/health", headers={"X-Request-ID": given})
    assert (answer.headers["X-Request-ID"] == given) == (given == "a-request.1")
    assert 0 < len(answer.headers["X-Request-ID"]) <= 128


@pytest.mark.parametrize(
    ("origin", "allowed"), [("https://b.example", "https://b.example"), ("https://c.example", None)]
)
def test_allowed_origins_may_send_requests_from_a_browser(
    origin: str, allowed: str | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MY_PROJECT_CORS_ORIGINS", "https://a.example https://b.example")
    components.get_settings.cache_clear()
    headers = {"Origin": origin, "Access-Control-Request-Method": "POST"}
    answer = TestClient(create()).options("/predict", headers=headers)
    assert answer.headers.get("Access-Control-Allow-Origin") == allowed
