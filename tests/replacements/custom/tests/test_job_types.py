"""Tests of the jobs."""

import json
import time
from pathlib import Path

import pytest
from example import INPUTS
from fastapi.testclient import TestClient

from my_project import components
from my_project.server.app import create_app


def test_a_census_counts_each_species(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MY_PROJECT_DATABASE", f"sqlite:///{tmp_path}/jobs.sqlite")
    monkeypatch.setenv("MY_PROJECT_STORAGE", f"{tmp_path}/files")
    components.get_settings.cache_clear()
    settings = components.get_settings()
    with TestClient(create_app(settings, components.server_components(settings))) as client:
        client.put("/files/irises.jsonl", content="\n".join(map(json.dumps, INPUTS)))
        job = client.post("/jobs", json={"arguments": {"path": "irises.jsonl"}}).json()
        deadline = time.monotonic() + 60
        while not job["finished_at"]:
            assert time.monotonic() < deadline, job
            time.sleep(0.02)
            job = client.get(f"/jobs/{job['id']}").json()
    assert job["result"] == {"setosa": 1, "versicolor": 1, "virginica": 1}
