"""Prometheus metrics of jobs and workers."""

import os
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path
from typing import Any
from urllib.error import URLError
from urllib.request import urlopen

import pytest
from prometheus_client import REGISTRY, CollectorRegistry
from pydantic import BaseModel
from sqlalchemy import Engine

from my_project.components import get_settings
from my_project.db import migrate
from my_project.db.engine import connect
from my_project.errors import InvalidInputError
from my_project.jobs import metrics
from my_project.jobs.context import JobContext
from my_project.jobs.metrics import JobBacklog
from my_project.jobs.owner import Owner
from my_project.jobs.store import JobStore
from my_project.jobs.types import JobType, JobTypes
from my_project.jobs.worker import Worker
from my_project.observability.shared_metrics import SHARED_MEMORY

ARGUMENTS = {"source": "missing.jsonl"}


@pytest.fixture
def database(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Engine:
    """Return a database without jobs."""
    monkeypatch.setenv("MY_PROJECT_DATABASE", f"sqlite:///{tmp_path}/jobs.sqlite")
    monkeypatch.setenv("MY_PROJECT_STORAGE", f"{tmp_path}/files")
    get_settings.cache_clear()
    engine = connect(get_settings())
    migrate.migrate(engine)
    return engine


def counted(outcome: str) -> float:
    """Return the number of attempts with this outcome."""
    return REGISTRY.get_sample_value("job_attempts_total", {"kind": "predict", "outcome": outcome}) or 0


class FakeJob(JobType[BaseModel]):
    """Ends as the test says."""

    name = "predict"
    arguments = BaseModel

    def __init__(self, store: JobStore, outcome: str) -> None:
        """Set the outcome."""
        self._store, self._outcome = store, outcome

    def run(self, arguments: BaseModel, context: JobContext) -> dict[str, Any]:
        """End as the test says."""
        assert REGISTRY.get_sample_value("worker_busy_processes") == 1
        if self._outcome == "failed":
            raise InvalidInputError("no")
        if self._outcome == "retried":
            raise ConnectionError("not now")
        if self._outcome == "lost":
            self._store.cancel(context.id, None)
            context.progress(1, 1)
        return {}


@pytest.mark.parametrize("outcome", metrics.OUTCOMES)
def test_an_attempt_is_counted_by_its_outcome(outcome: str, database: Engine) -> None:
    store = JobStore(database)
    store.submit("predict", {})
    before, waits = counted(outcome), REGISTRY.get_sample_value("job_wait_seconds_count", {"kind": "predict"}) or 0
    types = JobTypes([FakeJob(store, outcome)])
    assert Worker(get_settings(), store, types, lambda: pytest.fail("no model is needed")).run_one()
    assert counted(outcome) == before + 1
    assert REGISTRY.get_sample_value("job_wait_seconds_count", {"kind": "predict"}) == waits + 1
    assert REGISTRY.get_sample_value("worker_busy_processes") == 0


def test_jobs_are_counted_by_state_and_not_at_all_without_a_database(
    database: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(metrics, "CACHE_TTL_SECONDS", 0)
    store, registry = JobStore(database), CollectorRegistry()
    registry.register(JobBacklog(store))
    for _ in range(3):
        store.submit("predict", ARGUMENTS)
    store.claim()
    assert registry.get_sample_value("jobs_waiting", {"owner": "default"}) == 2
    assert registry.get_sample_value("jobs_waiting", {"owner": "me"}) is None
    store.submit("predict", ARGUMENTS, owner=Owner("me"))
    assert registry.get_sample_value("jobs_waiting", {"owner": "me"}) == 1
    store.cancel(store.find("me")[0].id, "me")
    assert registry.get_sample_value("jobs", {"state": "queued"}) == 2
    assert registry.get_sample_value("jobs", {"state": "running"}) == 1
    assert registry.get_sample_value("jobs", {"state": "failed"}) == 0
    assert (registry.get_sample_value("jobs_oldest_wait_seconds") or 0) > 0
    migrate.migrate(database, "base")
    assert registry.get_sample_value("jobs", {"state": "queued"}) is None


def read(port: int, wanted: str) -> str:
    """Return the metrics of a worker when they contain a text."""
    deadline = time.monotonic() + 60
    while True:
        try:
            with urlopen(f"http://127.0.0.1:{port}/metrics", timeout=10) as answer:
                if wanted in (metrics := answer.read().decode()):
                    return metrics
        except URLError:  # not listening yet
            metrics = ""
        assert time.monotonic() < deadline, metrics
        time.sleep(0.05)


def test_a_worker_serves_its_metrics_and_leaves_no_files(
    database: Engine, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    monkeypatch.setenv("MY_PROJECT_METRICS_PORT", str(port))
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    JobStore(database).submit("predict", ARGUMENTS)
    command = [sys.executable, "-m", "my_project", "worker"]
    with subprocess.Popen(command, env=os.environ) as worker:
        try:
            metrics = read(port, 'job_attempts_total{kind="predict",outcome="failed"} 1.0')
            assert 'job_attempts_total{kind="predict",outcome="succeeded"} 0.0' in metrics
            assert "worker_processes 1.0" in metrics
            second = subprocess.run(command, capture_output=True, text=True, timeout=60)
            assert second.returncode == 1
            assert second.stderr == f"error: metrics_port: 127.0.0.1:{port}: Address already in use\n"
        finally:
            worker.send_signal(signal.SIGTERM)
        assert worker.wait(60) == 0
    assert not [found for folder in (tmp_path, SHARED_MEMORY) for found in folder.glob(f"metrics-{worker.pid}-*")]


def test_flower_needs_a_password(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MY_PROJECT_BROKER", "redis://localhost")
    command = [sys.executable, "-m", "my_project", "flower"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60)
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr == "error: set `broker` and `flower_password`\n"
