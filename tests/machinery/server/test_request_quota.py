"""The quota of requests of each API key."""

from collections.abc import Iterator

import pytest
from fastapi.testclient import TestClient

from my_project import components
from my_project.server.api_keys import ApiKey, digest, make_key
from my_project.server.app import create_app

KEYS = {name: make_key() for name in ("me", "you", "admin")}


@pytest.fixture
def client(monkeypatch: pytest.MonkeyPatch) -> Iterator[TestClient]:
    """Return a client of an API where each key has a request in 100 seconds."""
    stored = [ApiKey(name, digest(key.encode()), name == "admin").line for name, key in KEYS.items()]
    monkeypatch.setenv("MY_PROJECT_API_KEYS", "\n".join(stored))
    monkeypatch.setenv("MY_PROJECT_QUOTA_REQUESTS_PER_SECOND", "0.01")
    components.get_settings.cache_clear()
    settings = components.get_settings()
    with TestClient(create_app(settings, components.server_components(settings))) as client:
        yield client
    components.get_settings.cache_clear()


def get(client: TestClient, path: str, key: str) -> tuple[int, str]:
    """Return status and Retry-After of a response."""
    answer = client.get(path, headers={"Authorization": f"Bearer {key}"})
    return answer.status_code, answer.headers.get("Retry-After", "")


def test_each_key_has_its_own_quota_and_administrators_have_none(client: TestClient) -> None:
    assert get(client, "/openapi.json", KEYS["me"]) == (200, "")
    status, seconds = get(client, "/openapi.json", KEYS["me"])
    assert status == 429 and 90 < int(seconds) <= 100
    assert get(client, "/openapi.json", KEYS["you"]) == (200, "")
    assert {get(client, "/openapi.json", KEYS["admin"]) for _ in range(5)} == {(200, "")}


def test_a_request_without_a_key_uses_up_no_quota(client: TestClient) -> None:
    assert {get(client, "/openapi.json", "sk-wrong")[0] for _ in range(3)} == {401}
    assert {get(client, "/health", KEYS["me"])[0] for _ in range(3)} == {200}
    assert get(client, "/openapi.json", KEYS["me"])[0] == 200
