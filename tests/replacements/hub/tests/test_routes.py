"""Tests of the routes."""

import pytest
from example import INPUTS
from fastapi.testclient import TestClient

from my_project import components


def test_only_reviews_below_the_threshold_are_for_a_person(client: TestClient, monkeypatch: pytest.MonkeyPatch) -> None:
    assert client.post("/triage", json=INPUTS).json() == {"certain_from": 0.9, "unsure": INPUTS}
    monkeypatch.setenv("MY_PROJECT_CERTAIN_FROM", "0")
    components.get_settings.cache_clear()
    assert components.get_settings().certain_from == 0
