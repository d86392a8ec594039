"""The limit of requests a second."""

from typing import Any

import pytest
from starlette.requests import Request
from starlette.responses import PlainTextResponse
from starlette.testclient import TestClient
from uvicorn.middleware.proxy_headers import ProxyHeadersMiddleware

from my_project.server.middleware.rate_limit import MAX_CLIENTS, RateLimit, TokenBuckets


class Clock:
    """A clock that is set."""

    now = 0.0

    def __call__(self) -> float:
        """Return the time."""
        return self.now


def refuse(request: Request, status: int, message: str, headers: dict[str, str]) -> PlainTextResponse:
    return PlainTextResponse(message, status, headers)


def limited(rate: float) -> RateLimit:
    """Return an application that answers every request that is allowed with 200."""
    return RateLimit(PlainTextResponse("answer"), rate, refuse, frozenset({"/health", "/ready", "/metrics"}))


def test_a_client_has_its_rate_and_no_more() -> None:
    buckets = TokenBuckets(2, clock := Clock())
    assert [buckets.take("a") for _ in range(3)] == [0, 0, 0.5]
    clock.now = 0.5
    assert [buckets.take("a") for _ in range(2)] == [0, 0.5]
    clock.now = 100
    assert [buckets.take("a") for _ in range(3)] == [0, 0, 0.5], "no more is saved than for one second"


def test_less_than_one_request_a_second_is_a_rate_too() -> None:
    buckets = TokenBuckets(0.1, clock := Clock())
    assert [buckets.take("a") for _ in range(2)] == [0, 10]
    clock.now = 9
    assert buckets.take("a") == pytest.approx(1)
    clock.now = 10.001
    assert buckets.take("a") == 0


def test_clients_without_number_take_no_memory_without_end() -> None:
    buckets = TokenBuckets(1, Clock())
    for number in range(MAX_CLIENTS + 100):
        buckets.take(str(number))
    assert len(buckets._seen) == MAX_CLIENTS
    assert buckets.take(str(MAX_CLIENTS + 99)) == 1, "who has just asked is remembered"


def test_the_rest_is_refused_with_the_time_to_wait() -> None:
    client = TestClient(limited(0.01))
    assert client.get("/predict").text == "answer"
    refused = client.post("/v1/anything")
    assert refused.status_code == 429
    assert refused.text == "more than 0.01 requests a second"
    assert refused.headers["Retry-After"] == "100"
    assert {client.get(path).status_code for path in ("/health", "/ready", "/metrics")} == {200}


@pytest.mark.parametrize(
    ("one", "other", "same"),
    [
        ("1.2.3.4", "1.2.3.5", False),
        ("2001:db8::1", "2001:db8::ffff:1", True),
        ("2001:db8::1", "2001:db8:0:1::1", False),
        ("1.2.3.4", "::ffff:1.2.3.4", True),
    ],
)
def test_each_client_has_a_limit_of_its_own(one: str, other: str, same: bool) -> None:
    app = limited(0.1)
    assert TestClient(app, client=(one, 1)).get("/").status_code == 200
    assert TestClient(app, client=(other, 2)).get("/").status_code == (429 if same else 200)


@pytest.mark.parametrize(("trusted", "status"), [("10.0.0.1", 200), ("10.0.0.2", 429)])
def test_a_proxy_names_the_client_only_if_it_is_trusted(trusted: str, status: int) -> None:
    app: Any = limited(0.1)  # libraries name the types of an application differently
    behind: Any = ProxyHeadersMiddleware(app, trusted)
    client = TestClient(behind, client=("10.0.0.1", 1))
    assert client.get("/", headers={"X-Forwarded-For": "1.2.3.4"}).status_code == 200
    assert client.get("/", headers={"X-Forwarded-For": "1.2.3.5"}).status_code == status
