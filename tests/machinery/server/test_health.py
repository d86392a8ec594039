"""Liveness, readiness and metrics."""

from typing import Any

import pytest
from fastapi.testclient import TestClient
from machinery.live import BODIES

from my_project import components
from my_project.server.asgi import create


def test_a_model_that_cannot_be_loaded_is_alive_but_not_ready(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MY_PROJECT_MODEL", "/no/such/model")
    if "exported" in type(components.get_settings()).model_fields:
        monkeypatch.setenv("MY_PROJECT_EXPORTED", "/no/such/export")
    components.get_settings.cache_clear()
    app = create()
    with TestClient(app) as client:
        app.state.engine.loading.result(timeout=60)
        assert client.get("/health").status_code == 200
        assert client.get("/ready").status_code == 503
        answer = client.post("/predict", json={"inputs": BODIES[0]})
        assert answer.status_code == 503
        assert "Retry-After" in answer.headers


def test_metrics_count_requests_by_route(client: TestClient) -> None:
    client.post("/predict", json={"inputs": BODIES[0]})
    client.get("/no/such/page")
    metrics = client.get("/metrics").text
    assert 'http_requests_total{method="POST",route="/predict",status="200"}' in metrics
    assert "/no/such/page" not in metrics


@pytest.mark.parametrize("method", ["PUT", "PATCH", "DELETE", "BREW"])
def test_metrics_name_known_methods_alone(client: TestClient, method: str) -> None:
    client.request(method, "/no/such/page")
    assert (f'http_requests_total{{method="{method}"' in client.get("/metrics").text) == (method != "BREW")


def test_an_engine_that_drains_is_not_ready_but_still_answers(client: TestClient) -> None:
    app: Any = client.app
    app.state.engine.drain()
    assert client.get("/ready").json() == {"status": "not ready", "reasons": ["the server is shutting down"]}
    assert client.post("/predict", json={"inputs": BODIES[0]}).status_code == 200
