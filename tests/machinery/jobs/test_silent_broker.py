"""An API whose broker accepts connections and answers nothing, as one that is paused."""

import socket
import time
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from databases import empty_database
from example import INPUTS
from fastapi.testclient import TestClient
from pydantic import BaseModel

from my_project import components, job_types
from my_project.db import migrate
from my_project.db.engine import connect
from my_project.jobs import celery_app
from my_project.jobs.context import JobContext
from my_project.jobs.types import JobType
from my_project.server.app import create_app

HEALTH_CHECK_SECONDS = 3.0
"""Time after which the image's health check gives up."""


class NoArguments(BaseModel):
    """No arguments."""


class NeverRun(JobType[NoArguments]):
    """A kind of job, of which this API runs none."""

    name = "never"
    arguments = NoArguments

    def run(self, arguments: NoArguments, context: JobContext) -> dict[str, Any]:
        """Fail."""
        raise AssertionError


@pytest.fixture
def client(request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[TestClient]:
    """Yield a client of the API, which waits as long for the broker as the test says."""
    if hasattr(request, "param"):
        monkeypatch.setattr(celery_app, "CONNECT_TIMEOUT_SECONDS", request.param)
    monkeypatch.setattr(job_types, "JOB_TYPES", [NeverRun()])
    with empty_database(tmp_path) as address, closing(socket.create_server(("127.0.0.1", 0))) as silent:
        monkeypatch.setenv("MY_PROJECT_DATABASE", address)
        monkeypatch.setenv("MY_PROJECT_STORAGE", f"{tmp_path}/files")
        monkeypatch.setenv("MY_PROJECT_BROKER", f"redis://127.0.0.1:{silent.getsockname()[1]}")
        components.get_settings.cache_clear()
        settings = components.get_settings()
        database = connect(settings)
        migrate.migrate(database)
        database.dispose()
        app = create_app(settings, components.server_components(settings))
        with TestClient(app) as client:
            app.state.engine.loading.result(60)
            yield client


def test_the_api_says_so_and_goes_on(client: TestClient) -> None:
    started = time.monotonic()
    answer = client.get("/ready")
    assert (answer.status_code, answer.json()["reasons"]) == (503, ["the broker does not answer"])
    assert time.monotonic() - started < HEALTH_CHECK_SECONDS
    assert client.post("/predict", json={"inputs": INPUTS[0]}).status_code == 200
    assert client.get("/health").json()["status"] == "alive"


@pytest.mark.parametrize("client", [0.5], indirect=True)
def test_a_job_is_accepted_and_only_the_first_waits_for_the_broker(client: TestClient) -> None:
    seconds = []
    for _ in range(3):
        started = time.monotonic()
        assert client.post("/jobs", json={}).status_code == 202
        seconds.append(time.monotonic() - started)
    assert seconds[0] < 2
    assert max(seconds[1:]) < 0.4
    assert [each["state"] for each in client.get("/jobs").json()] == ["queued"] * 3
