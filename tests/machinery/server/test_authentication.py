"""Every route needs a key as soon as there are keys."""

import asyncio
import hashlib
import json
import logging
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from fastapi import APIRouter, WebSocket
from fastapi.testclient import TestClient
from machinery.live import BODIES
from machinery.server.test_app import components as parts
from machinery.server.test_app import wait
from starlette.requests import Request
from starlette.websockets import WebSocketDisconnect

from my_project import components
from my_project.base_settings import ServiceSettings
from my_project.observability.logging import JsonFormatter, TextFormatter
from my_project.server.api_keys import CHECK_SECONDS, ApiKeys
from my_project.server.app import create_app
from my_project.server.asgi import create
from my_project.server.client import client_of
from my_project.server.docs import PATHS

KEY, ADMIN_KEY = "sk-a-key", "sk-key-of-the-admin"
PUBLIC = {"/health", "/ready"}


def line(name: str, key: str, rest: str = "") -> str:
    """Return the line of a key."""
    return f"{name} sha256:{hashlib.sha256(key.encode()).hexdigest()}{rest}\n"


def bearer(key: str = KEY) -> dict[str, str]:
    """Return the header of a key."""
    return {"Authorization": f"Bearer {key}"}


@pytest.fixture
def file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return the file of two keys, which the settings name."""
    path = tmp_path / "api_keys"
    path.write_text(line("laptop", KEY) + line("root", ADMIN_KEY, " admin"))
    monkeypatch.setenv("MY_PROJECT_API_KEYS_FILE", str(path))
    components.get_settings.cache_clear()
    return path


@pytest.fixture
def guarded(file: Path) -> Iterator[TestClient]:
    """Return a client, without a key, of an API that needs one; its model is loaded."""
    router = APIRouter()

    @router.get("/mine")
    async def mine(request: Request) -> dict[str, Any]:
        client = client_of(request)
        return {"name": client.name, "is_admin": client.is_admin}

    @router.websocket("/socket")
    async def socket(socket: WebSocket) -> None:
        await socket.accept()
        await socket.send_text(client_of(socket).name)

    @router.get("/health/more")
    async def more() -> None: ...

    app = create_app(ServiceSettings(api_keys_file=file, cors_origins="https://a.example"), parts(routers=[router]))
    with TestClient(app) as client:
        wait(client)
        yield client


def every_path(app: Any) -> set[str]:
    """Return a path for each route of an application."""
    found: set[str] = set()
    pending = list(app.routes)
    while pending:
        route = pending.pop()
        pending += getattr(route, "routes", None) or []
        if path := getattr(route, "path", ""):
            found.add(re.sub(r"{\w+(:\w+)?}", "a", path))
    return found | {re.sub(r"{\w+}", "a", path) for path in app.openapi()["paths"]}


def test_every_route_of_the_project_needs_a_key(file: Path) -> None:
    app = create()
    paths = every_path(app)
    assert paths >= PUBLIC | {"/predict", "/metrics", "/docs", "/openapi.json"}
    client = TestClient(app)
    for path in [*sorted(paths - PUBLIC), "/no/such", "//health", "/health/", "/ready/../predict", "/%68ealth/x", ""]:
        for method in ("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE", "PROPFIND", "get"):
            for headers in ({}, bearer("sk-of-somebody-else")):
                answer = client.request(method, path, headers=headers, follow_redirects=False)
                assert answer.status_code == 401, f"{method} {path}"
                assert answer.headers["WWW-Authenticate"].startswith("Basic " if path in PATHS else "Bearer")


def test_the_project_answers_with_a_key(file: Path) -> None:
    app = create()
    with TestClient(app, headers=bearer()) as client:
        wait(client)
        assert client.post("/predict", json={"inputs": BODIES[0]}).status_code == 200
        assert client.get("/openapi.json").status_code == 200
        assert client.get("/no/such").status_code == 404


def test_health_and_readiness_need_no_key(guarded: TestClient) -> None:
    assert guarded.get("/health").status_code == guarded.get("/ready").status_code == 200
    assert guarded.get("/health", headers=bearer("sk-wrong")).status_code == 200
    assert guarded.get("/health/more").status_code == 401


@pytest.mark.parametrize(("public", "status"), [(False, 401), (True, 200)])
def test_metrics_need_no_key_if_a_setting_says_so(file: Path, public: bool, status: int) -> None:
    with TestClient(create_app(ServiceSettings(metrics_public=public), parts())) as client:
        assert client.get("/metrics").status_code == status
        assert client.get("/metrics", headers=bearer()).status_code == 200


@pytest.mark.parametrize(
    ("headers", "name"),
    [
        ([(b"authorization", b"Bearer sk-a-key")], "laptop"),
        ([(b"Authorization", b"bearer sk-a-key")], "laptop"),
        ([(b"AUTHORIZATION", b"BEARER   sk-a-key  ")], "laptop"),
        ([(b"authorization", b"Bearer sk-key-of-the-admin")], "root"),
        ([], None),
        ([(b"authorization", b"")], None),
        ([(b"authorization", b"Bearer")], None),
        ([(b"authorization", b"Bearer ")], None),
        ([(b"authorization", b"sk-a-key")], None),
        ([(b"authorization", b"Bearersk-a-key")], None),
        ([(b"authorization", b"Bearer\tsk-a-key")], None),
        ([(b"authorization", b"Bearer sk-a-key,")], None),
        ([(b"authorization", b"Bearer sk-a-key, Bearer sk-a-key")], None),
        ([(b"authorization", b"Bearer sk-a-key sk-a-key")], None),
        ([(b"authorization", b'Bearer "sk-a-key"')], None),
        ([(b"authorization", b"Bearer SK-A-KEY")], None),
        ([(b"authorization", b"Bearer sk-a-ke")], None),
        ([(b"authorization", b"Bearer sk-a-key\x00")], None),
        ([(b"authorization", b"Token sk-a-key")], None),
        ([(b"authorization", b"Basic OnNrLWEta2V5")], None),  # the key as the password
        ([(b"authorization", "Bearer schlüssel".encode())], None),
        ([(b"authorization", b"Bearer \xff\xfe")], None),
        ([(b"authorization", b"Bearer " + b"x" * 60_000)], None),
        ([(b"authorization", b"Bearer sk-a-key" + b"x" * 60_000)], None),
        ([(b"authorization", b"Bearer sk-a-key")] * 2, None),
        ([(b"authorization", b"Bearer sk-wrong"), (b"authorization", b"Bearer sk-a-key")], None),
        ([(b"x-api-key", b"sk-a-key")], None),
        ([(b"cookie", b"authorization=Bearer sk-a-key")], None),
        ([(b"proxy-authorization", b"Bearer sk-a-key")], None),
    ],
)
def test_a_key_is_the_bearer_token_of_the_only_authorization_header(
    guarded: TestClient, headers: list[tuple[bytes, bytes]], name: str | None
) -> None:
    answer = guarded.get("/mine", headers=headers)
    if name is None:
        assert answer.status_code == 401
    else:
        assert answer.json() == {"name": name, "is_admin": name == "root"}


def test_a_key_in_the_address_opens_nothing(guarded: TestClient) -> None:
    for name in ("api_key", "key", "token", "access_token", "authorization"):
        assert guarded.get("/mine", params={name: KEY}).status_code == 401


@pytest.mark.parametrize(
    ("headers", "challenge", "message"),
    [
        ({}, "Bearer", "send an API key: Authorization: Bearer KEY"),
        (bearer("sk-wrong"), 'Bearer error="invalid_token"', "the API key is not valid"),
    ],
)
def test_the_answer_is_in_the_format_of_the_routes_clients(
    guarded: TestClient, headers: dict[str, str], challenge: str, message: str
) -> None:
    plain = guarded.post("/predict", headers=headers, json={})
    assert plain.json() == {"error": message}
    openai = guarded.post("/v1/anything", headers=headers, json={})
    assert openai.json() == {
        "error": {"message": message, "type": "invalid_request_error", "param": None, "code": "invalid_api_key"}
    }
    for answer in (plain, openai):
        assert answer.status_code == 401
        assert answer.headers["WWW-Authenticate"] == challenge
        assert answer.headers["X-Request-ID"]


def test_a_websocket_needs_a_key_too(guarded: TestClient) -> None:
    with pytest.raises(WebSocketDisconnect) as refused, guarded.websocket_connect("/socket"):
        pass
    assert refused.value.code == 1008
    with guarded.websocket_connect("/socket", headers=bearer()) as socket:
        assert socket.receive_text() == "laptop"


def test_the_body_of_a_refused_request_is_not_read(file: Path) -> None:
    sent: list[Any] = []

    async def receive() -> Any:
        pytest.fail("the body was read")

    async def send(message: Any) -> None:
        sent.append(message)

    headers = [(b"content-length", b"900000000"), (b"content-type", b"application/json")]
    scope = {"type": "http", "method": "POST", "path": "/predict", "headers": headers, "query_string": b""}
    asyncio.run(create_app(ServiceSettings(), parts())(scope, receive, send))
    assert sent[0]["status"] == 401


def test_a_browser_asks_in_advance_without_a_key_and_may_read_a_refusal(guarded: TestClient) -> None:
    asked = {
        "Origin": "https://a.example",
        "Access-Control-Request-Method": "POST",
        "Access-Control-Request-Headers": "authorization",
    }
    answer = guarded.options("/predict", headers=asked)
    assert answer.status_code == 200
    assert "authorization" in answer.headers["Access-Control-Allow-Headers"]
    refused = guarded.post("/predict", json={}, headers={"Origin": "https://a.example"})
    assert refused.status_code == 401
    assert refused.headers["Access-Control-Allow-Origin"] == "https://a.example"


def test_limits_hold_with_a_key(file: Path) -> None:
    with TestClient(create_app(ServiceSettings(max_body_bytes=100), parts())) as client:
        assert client.post("/predict", content=b" " * 200).status_code == 401
        assert client.post("/predict", content=b" " * 200, headers=bearer()).status_code == 413


def test_guesses_are_limited_by_address(file: Path) -> None:
    with TestClient(create_app(ServiceSettings(rate_limit_per_second=3), parts())) as client:
        statuses = [client.get("/", headers=bearer(f"sk-{number}")).status_code for number in range(5)]
        assert statuses == [401, 401, 401, 429, 429]


def metric(client: TestClient, start: str) -> float:
    """Return the value of a metric, which is 0 as long as it is missing."""
    lines = client.get("/metrics", headers=bearer(ADMIN_KEY)).text.splitlines()
    return next((float(each.split()[-1]) for each in lines if each.startswith(start)), 0)


def test_metrics_count_requests_by_the_name_of_the_key(guarded: TestClient) -> None:
    counter, refusals = 'http_client_requests_total{client="laptop"}', '{method="GET",route="other",status="401"}'
    before, refused = metric(guarded, counter), metric(guarded, f"http_requests_total{refusals}")
    guarded.get("/mine", headers=bearer())
    guarded.get("/mine", headers=bearer("sk-wrong"))
    guarded.get("/mine")
    assert metric(guarded, counter) == before + 1
    assert metric(guarded, f"http_requests_total{refusals}") == refused + 2
    text = guarded.get("/metrics", headers=bearer(ADMIN_KEY)).text
    assert "sk-" not in text
    assert hashlib.sha256(KEY.encode()).hexdigest() not in text


def test_a_revoked_key_is_refused_without_a_restart(file: Path) -> None:
    now = 0.0
    keys = ApiKeys(ServiceSettings(), lambda: now)
    assert keys.identify(KEY.encode())
    file.write_text(line("root", ADMIN_KEY, " admin"))
    now = CHECK_SECONDS
    assert keys.identify(KEY.encode()) is None
    assert keys.identify(ADMIN_KEY.encode())


def test_a_broken_file_at_the_start_is_an_error_without_its_content(file: Path) -> None:
    file.write_text("laptop sk-a-key\n")
    with pytest.raises(OSError, match="line 1: expected NAME") as refused:
        create()
    assert "sk-a-key" not in str(refused.value)


def test_a_setting_that_does_not_fit_does_not_show_values() -> None:
    with pytest.raises(ValueError) as refused:
        ServiceSettings.model_validate({"api_keys": ["sk-a-key"], "max_queue": "sk-another-key"})
    assert "sk-" not in str(refused.value)
    assert "sk-" not in repr(ServiceSettings.model_validate({"api_keys": "sk-a-key"}))


def test_a_request_that_has_passed_no_authentication_has_no_client() -> None:
    with pytest.raises(RuntimeError, match="no client is known"):
        client_of(Request({"type": "http", "headers": []}))


def test_logs_have_the_name_of_the_key_and_never_the_key(guarded: TestClient, caplog: pytest.LogCaptureFixture) -> None:
    lines: list[str] = []

    class Handler(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            lines.extend([JsonFormatter().format(record), TextFormatter("%(message)s").format(record)])

    logger = logging.getLogger("a.route")
    logger.addHandler(handler := Handler())
    router = APIRouter()

    @router.get("/logs")
    async def logs() -> None:
        logger.warning("seen")

    app: Any = guarded.app
    app.include_router(router)
    try:
        guarded.get("/logs", headers=bearer())
        guarded.get("/logs")
        logger.warning("later")
    finally:
        logger.removeHandler(handler)
    asked, text, later, plain = lines
    assert (json.loads(asked)["key"], text) == ("laptop", "seen [laptop]")
    assert ("key" in json.loads(later), plain) == (False, "later")
    assert "sk-" not in "".join(lines) + caplog.text
