"""Tests of the routes."""

import pytest
from fastapi.testclient import TestClient

from my_project import components


def test_the_garden_is_that_of_the_settings(client: TestClient, monkeypatch: pytest.MonkeyPatch) -> None:
    assert client.get("/garden").json() == {"garden": "Kew", "model": "irises"}
    monkeypatch.setenv("MY_PROJECT_GARDEN", "Eden")
    components.get_settings.cache_clear()
    assert client.get("/garden").json()["garden"] == "Eden"


def test_an_iris_with_a_missing_length_is_refused(client: TestClient) -> None:
    assert client.post("/predict", json={"inputs": {"sepal_length": 5.1}}).status_code == 422
