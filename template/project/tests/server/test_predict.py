"""Predictions over HTTP, with the inputs of example.py."""

import base64
from typing import Any

from example import INPUTS, PARAMETERS, REFUSED
from fastapi.testclient import TestClient


def as_json(value: Any) -> Any:
    """Return an input as clients send it: bytes in base64."""
    return base64.b64encode(value).decode() if isinstance(value, bytes) else value


BODIES: list[Any] = [as_json(each) for each in INPUTS]


def test_the_api_is_alive_and_ready(client: TestClient) -> None:
    health = client.get("/health").json()
    assert health["status"] == "alive"
    assert health["version"]
    assert health["loaded_at"]
    assert client.get("/ready").json() == {"status": "ready"}


def test_a_list_is_answered_with_a_list(client: TestClient) -> None:
    answer = client.post("/predict", json={"inputs": BODIES})
    assert answer.status_code == 200, answer.text
    assert len(answer.json()) == len(BODIES)


def test_one_input_is_answered_with_one_prediction(client: TestClient) -> None:
    one = client.post("/predict", json={"inputs": BODIES[0]}).json()
    listed = client.post("/predict", json={"inputs": BODIES[:1]}).json()
    assert one in (listed[0], listed)  # some clients expect a list even for one input


def test_parameters_may_be_beside_the_inputs(client: TestClient) -> None:
    nested = client.post("/predict", json={"inputs": BODIES[0], "parameters": PARAMETERS})
    beside = client.post("/", json={"inputs": BODIES[0], **PARAMETERS})
    assert nested.status_code == beside.status_code == 200, nested.text
    assert nested.json() == beside.json()


def test_a_refused_input_is_answered_with_one_line(client: TestClient) -> None:
    answer = client.post("/predict", json={"inputs": as_json(REFUSED)})
    assert answer.status_code == 422
    assert answer.json()["error"]
    assert "\n" not in answer.json()["error"]
