"""The prediction route: limits, errors, batches and the cache."""

import re
import threading
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from alike import assert_alike
from example import PARAMETERS
from fastapi.testclient import TestClient
from machinery.live import BAD, BODIES

from my_project import components
from my_project.inference.batching import Item
from my_project.inference.engine import Engine
from my_project.server.asgi import create
from my_project.server.responses import encode


def engine_of(client: TestClient) -> Engine:
    """Return the engine of the API."""
    app: Any = client.app
    engine: Engine = app.state.engine
    return engine


def batcher_of(client: TestClient) -> Any:
    """Return the queue in front of the model."""
    loaded = engine_of(client)._loaded
    assert loaded
    return loaded.batcher


@pytest.mark.parametrize(
    ("body", "status", "message"),
    [
        ({}, 422, "inputs: Field required"),
        ({"inputs": []}, 422, "inputs: List should have at least 1 item"),
        ({"inputs": ""}, 422, "inputs: "),
        ({"inputs": 5}, 422, "inputs: "),
        ({"inputs": [None]}, 422, "inputs.0: "),
        ({"inputs": BODIES[0], "parameters": {"no_such_thing": 1}}, 422, "parameters.no_such_thing: "),
        ({"inputs": BODIES[0], "parameters": 5}, 422, "parameters: "),
        ({"inputs": BODIES[:1] * 1000}, 413, "the limit of 256"),
        ({"inputs": [BODIES[0], *[{}] * 1000]}, 413, "the limit of 256"),
        ({"inputs": [{}] * 1000}, 422, "inputs"),
        ({"inputs": BODIES[0], **{f"p{each}": 1 for each in range(1001)}}, 422, "1001 fields exceed the limit of 1000"),
        ({"inputs": BAD}, 422, ""),
        ([], 422, "body: "),
    ],
)
def test_bad_input_is_refused_in_one_line(client: TestClient, body: object, status: int, message: str) -> None:
    answer = client.post("/predict", json=body)
    assert answer.status_code == status
    assert message in answer.json()["error"]
    assert "\n" not in answer.json()["error"]


def test_what_is_not_json_is_refused(client: TestClient) -> None:
    answer = client.post("/predict", content="{", headers={"content-type": "application/json"})
    assert answer.status_code == 400
    assert answer.json()["error"].startswith("not JSON")
    assert client.post("/predict", content="a", headers={"content-type": "text/plain"}).status_code == 415


@pytest.mark.parametrize(
    "body", [{"inputs": [1] * 100_000}, {"inputs": BODIES[0], "a" * 100_000: 1}], ids=["many", "long"]
)
def test_the_answer_to_a_malformed_request_is_short(client: TestClient, body: object) -> None:
    answer = client.post("/predict", json=body)
    assert answer.status_code == 422
    assert len(answer.content) < 1000


@pytest.mark.parametrize("announced", [True, False])
def test_a_body_over_the_limit_is_refused(client: TestClient, announced: bool) -> None:
    body = b" " * (components.get_settings().max_body_bytes + 1)
    answer = client.post("/predict", content=body if announced else iter([body]))
    assert answer.status_code == 413
    assert "larger than" in answer.json()["error"]


def test_what_cannot_be_computed_in_time_is_refused(client: TestClient, monkeypatch: pytest.MonkeyPatch) -> None:
    engine, batcher = engine_of(client), batcher_of(client)
    parallel = engine.model.parallel_batches
    compute, began, gate = batcher._compute, threading.Semaphore(0), threading.Event()

    def held(batch: list[Item]) -> Any:
        began.release()
        assert gate.wait(60)
        return compute(batch)

    monkeypatch.setattr(batcher, "_compute", held)
    monkeypatch.setattr(batcher, "_max_queue", parallel)
    monkeypatch.setattr(batcher, "_wait_for_followers", False)  # or the second request would wait for the first
    first = []
    with ThreadPoolExecutor() as pool:
        for _ in range(parallel):
            first.append(pool.submit(client.post, "/predict", json={"inputs": BODIES[0]}))
            assert began.acquire(timeout=60)
        assert f"predict_queue_depth {parallel}.0" in client.get("/metrics").text
        full = client.post("/predict", json={"inputs": BODIES[0]})
        monkeypatch.setattr(batcher, "_max_queue", 512)
        monkeypatch.setattr(engine._settings, "max_wait_seconds", 0.1)
        late = client.post("/predict", json={"inputs": BODIES[0]})  # answered while the first are computed
        gate.set()
    for refused in (full, late):
        assert refused.status_code == 503
        assert int(refused.headers["Retry-After"]) > 0
    assert "0.1 s" in late.text
    assert [each.result().status_code for each in first] == [200] * parallel


def test_what_fails_says_only_the_id_of_its_request(client: TestClient, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(batch: list[Item]) -> Any:
        raise RuntimeError("a secret")

    monkeypatch.setattr(batcher_of(client), "_compute", fail)
    answer = TestClient(client.app, raise_server_exceptions=False).post("/predict", json={"inputs": BODIES[0]})
    assert answer.status_code == 500
    assert "secret" not in answer.text
    assert answer.headers["X-Request-ID"]


def test_numbers_that_json_lacks_become_null() -> None:
    assert encode([float("nan"), float("inf"), 1.5]) == b"[null,null,1.5]"


def test_concurrent_requests_get_the_answers_that_they_would_get_alone(client: TestClient) -> None:
    alone = [client.post("/predict", json={"inputs": body}).json() for body in BODIES]
    with ThreadPoolExecutor() as pool:
        together = list(pool.map(lambda body: client.post("/predict", json={"inputs": body}).json(), BODIES * 4))
    for one, other in zip(alone * 4, together, strict=True):
        assert_alike(one, other)
    assert "predict_batch_inputs_count" in client.get("/metrics").text


def test_a_cached_prediction_is_not_computed_again(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MY_PROJECT_CACHE_SIZE", "2")
    components.get_settings.cache_clear()
    with TestClient(create()) as client:
        loading = engine_of(client).loading
        assert loading
        loading.result(timeout=60)
        batcher = batcher_of(client)
        compute, computed = batcher._compute, []
        is_nested = engine_of(client).model.nest_single_output

        def noted(batch: list[Item]) -> Any:
            computed.extend(batch)
            return compute(batch)

        monkeypatch.setattr(batcher, "_compute", noted)
        before = cache_counts(client)
        first, second, third = BODIES[:3]
        one = client.post("/predict", json={"inputs": first, "parameters": PARAMETERS}).json()
        assert len(computed) == 1
        two = client.post("/predict", json={"inputs": [second, first, second], "parameters": PARAMETERS}).json()
        assert two[1] == (one[0] if is_nested else one)
        assert two[0] == two[2]
        assert len(computed) == 2, "neither a cached input nor a repeated one"
        client.post("/predict", json={"inputs": first})
        client.post("/predict", json={"inputs": third})
        assert len(computed) == 4, "other parameters are another key"
        client.post("/predict", json={"inputs": second, "parameters": PARAMETERS})
        assert len(computed) == 5, "the oldest entry was evicted"
        hits, misses = cache_counts(client)
    assert (hits - before[0], misses - before[1]) == (2, 5)


def cache_counts(client: TestClient) -> tuple[float, float]:
    """Return the hits and misses of the cache so far."""
    found = re.findall(r'^predict_cache_total{result="(\w+)"} (.+)$', client.get("/metrics").text, re.MULTILINE)
    counts = {result: float(count) for result, count in found}
    return counts.get("hit", 0), counts.get("miss", 0)
