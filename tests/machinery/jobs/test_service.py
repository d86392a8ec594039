"""Jobs that fail, hang or kill their worker, and services that are unavailable, over the API."""

import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from databases import empty_database
from example import INPUTS, PARAMETERS
from fastapi import FastAPI
from fastapi.testclient import TestClient
from pydantic import BaseModel, ValidationError
from sqlalchemy import text, update

from my_project import components, job_types
from my_project.db import engine as engines
from my_project.db import migrate
from my_project.db.engine import opened
from my_project.db.models import Job
from my_project.errors import InvalidInputError
from my_project.jobs import context, service
from my_project.jobs import store as stores
from my_project.jobs import worker as workers
from my_project.jobs.context import JobContext
from my_project.jobs.service import JobService
from my_project.jobs.store import JobStore
from my_project.jobs.types import JobType
from my_project.schemas import Parameters
from my_project.server.app import create_app
from my_project.settings import Settings


class NoArguments(BaseModel):
    """No arguments."""


class FakeJob(JobType[NoArguments]):
    """Calls a function of the test."""

    name = "fake"
    arguments = NoArguments

    def __init__(self, function: Callable[[JobContext], dict[str, Any]]) -> None:
        """Set the function."""
        self._function = function

    def run(self, arguments: NoArguments, context: JobContext) -> dict[str, Any]:
        """Call the function."""
        return self._function(context)


@pytest.fixture(autouse=True)
def files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """Let each test have a database and a storage of its own; return the folder of the storage."""
    monkeypatch.setattr(stores, "RETRY_DELAY_SECONDS", 0.01)
    with empty_database(tmp_path) as address:
        monkeypatch.setenv("MY_PROJECT_DATABASE", address)
        monkeypatch.setenv("MY_PROJECT_STORAGE", f"{tmp_path}/files")
        components.get_settings.cache_clear()
        if not address.startswith("sqlite"):  # the API migrates SQLite only
            with opened(components.get_settings()) as database:
                migrate.migrate(database)
        yield tmp_path / "files"


def make_app(*functions: Callable[[JobContext], dict[str, Any]]) -> FastAPI:
    """Return the API with one kind of job."""
    settings = components.get_settings()
    with pytest.MonkeyPatch.context() as patched:
        if functions:
            patched.setattr(job_types, "JOB_TYPES", [FakeJob(*functions)])
        return create_app(settings, components.server_components(settings))


def submit(client: TestClient) -> str:
    """Return the address of a new job. Its kind and its arguments have defaults."""
    answer = client.post("/jobs", json={})
    assert answer.status_code == 202, answer.text
    return answer.headers["Location"]


def wait(client: TestClient, address: str) -> dict[str, Any]:
    """Return a job when it has ended."""
    deadline = time.monotonic() + 60
    while True:
        found: dict[str, Any] = client.get(address).json()
        if found["finished_at"]:
            return found
        assert time.monotonic() < deadline, found
        time.sleep(0.02)


def test_a_temporary_error_is_retried() -> None:
    calls: list[JobContext] = []

    def fail_twice(context: JobContext) -> dict[str, Any]:
        calls.append(context)
        if len(calls) < 3:
            raise ConnectionError("no luck")
        return {"calls": len(calls)}

    with TestClient(make_app(fail_twice)) as client:
        done = wait(client, submit(client))
    assert (done["state"], done["result"], done["failures"]) == ("succeeded", {"calls": 3}, 2)


def test_a_permanent_error_is_retried_until_the_limit() -> None:
    def poison(context: JobContext) -> dict[str, Any]:
        raise RuntimeError("poison")

    with TestClient(make_app(poison)) as client:
        done = wait(client, submit(client))
    assert (done["state"], done["failures"]) == ("failed", components.get_settings().job_attempts)
    assert "poison" in done["error"]


POISON = """import os
from pydantic import BaseModel
from my_project.components import get_settings
from my_project.db.engine import connect
from my_project.jobs.store import JobStore
from my_project.jobs.types import JobType, JobTypes
from my_project.jobs.worker import Worker
class Poison(JobType):
    name, arguments = "fake", BaseModel
    def run(self, arguments, context):
        os._exit(9)
settings = get_settings()
store = JobStore(connect(settings), settings.job_attempts)
store.requeue_expired()
Worker(settings, store, JobTypes([Poison()]), None).run_one()
"""


def test_a_job_that_kills_every_worker_fails_finally(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MY_PROJECT_JOB_ATTEMPTS", "2")
    app = make_app(lambda context: {})
    with opened(components.get_settings()) as database, TestClient(app) as client:
        jobs = next(each for each in app.state.services if isinstance(each, JobService))
        jobs._stop()
        address = submit(client)
        for _ in range(2):
            assert subprocess.run([sys.executable, "-c", POISON], timeout=60).returncode == 9
            with database.begin() as connection:  # let the lease expire
                connection.execute(update(Job).values(leased_until=Job.created_at))
        JobStore(database, max_failures=2).requeue_expired()
        done = client.get(address).json()
    assert (done["state"], done["failures"]) == ("failed", 2)
    assert "the worker died" in done["error"]


def test_a_job_ends_when_it_is_cancelled_or_takes_too_long(files: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def run_forever(context: JobContext) -> dict[str, Any]:
        with context.storage.write("half.txt") as stream:
            stream.write(b"half")
            while True:
                context.progress(1, 2)
                time.sleep(0.02)

    monkeypatch.setattr(context, "PROGRESS_SECONDS", 0.01)
    with TestClient(make_app(run_forever)) as client:
        address = submit(client)
        deadline = time.monotonic() + 60
        while client.get(address).json()["done"] != 1:
            assert time.monotonic() < deadline
            time.sleep(0.02)
        assert client.delete(address).json()["state"] == "cancelled"
        assert client.delete(address).status_code == 200
        monkeypatch.setattr(components.get_settings(), "job_timeout_seconds", 0.1)
        address = submit(client)
        done = wait(client, address)
        assert done["state"] == "failed" and "longer than" in done["error"]
        assert client.delete(address).status_code == 409
    assert not (files / "half.txt").exists()


def test_jobs_can_be_left_to_a_worker_without_a_broker(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MY_PROJECT_JOBS_IN_API", "false")
    components.get_settings.cache_clear()
    with TestClient(make_app()) as client:
        assert "jobs" not in [thread.name for thread in threading.enumerate()]
        request = {"kind": "predict", "arguments": {"source": "missing.jsonl"}}
        address = client.post("/jobs", json=request).headers["Location"]
        with subprocess.Popen([sys.executable, "-m", "my_project", "worker"]) as worker:
            done = wait(client, address)
            worker.terminate()
            assert worker.wait(60) == 0
    assert (done["state"], done["error"]) == ("failed", "missing.jsonl: no such file in the storage")


def test_the_time_that_inputs_take_fails_no_job(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MY_PROJECT_MAX_WAIT_SECONDS", "0.000001")  # every batch takes longer
    components.get_settings.cache_clear()

    def predict(job: JobContext) -> dict[str, Any]:
        return {"count": len(job.model.predict(INPUTS, Parameters.model_validate(PARAMETERS)))}

    with TestClient(make_app(predict)) as client:
        assert wait(client, submit(client))["result"] == {"count": len(INPUTS)}


def test_the_api_is_not_ready_while_the_database_is_unavailable(monkeypatch: pytest.MonkeyPatch) -> None:
    app = make_app()
    with TestClient(app) as client:
        app.state.engine.loading.result(timeout=60)
        monkeypatch.setattr(service, "CACHE_TTL_SECONDS", 0)
        assert client.get("/ready").status_code == 200
        monkeypatch.setattr(migrate, "problem", lambda *_, **__: "the database cannot be reached: it is away")
        answer = client.get("/ready")
        assert answer.status_code == 503
        assert answer.json()["reasons"] == ["the database cannot be reached: it is away"]


def test_a_full_disk_of_the_database_is_answered_with_507(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MY_PROJECT_DATABASE", f"sqlite:///{tmp_path}/small.sqlite")  # which can limit its size
    components.get_settings.cache_clear()
    monkeypatch.setattr(FakeJob, "arguments", AnyArguments)
    monkeypatch.setattr(engines, "_enable_wal", lambda connection, _: connection.execute("PRAGMA max_page_count=60"))
    with TestClient(make_app(lambda context: {})) as client:
        for _ in range(100):
            answer = client.post("/jobs", json={"arguments": {"value": "x" * 50_000}})
            if answer.status_code != 202:
                break
        assert (answer.status_code, answer.json()) == (507, {"error": "the disk of the database is full"})
        assert client.get("/jobs?limit=1").status_code == 200


LOCK = """import sqlite3, sys
connection = sqlite3.connect(sys.argv[1], timeout=60, isolation_level=None)
connection.execute("BEGIN EXCLUSIVE")
print("locked", flush=True)
sys.stdin.readline()
connection.execute("COMMIT")
"""


@contextmanager
def locked(file: Path) -> Iterator[None]:
    """Let another process hold the write lock of an SQLite database while the block runs."""
    command = [sys.executable, "-c", LOCK, str(file)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout and process.stdout.readline() == "locked\n"
        try:
            yield
        finally:
            process.communicate("\n", timeout=60)


def test_a_lock_of_another_process_costs_no_attempt(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = tmp_path / "locked.sqlite"
    monkeypatch.setenv("MY_PROJECT_DATABASE", f"sqlite:///{file}")
    components.get_settings.cache_clear()
    monkeypatch.setattr(engines, "CONNECT_TIMEOUT_SECONDS", 0.05)
    monkeypatch.setattr(workers, "RECORD_RETRY_SECONDS", 0.05)
    begun, may_end = threading.Event(), threading.Event()

    def work(context: JobContext) -> dict[str, Any]:
        begun.set()
        assert may_end.wait(60)
        return {"done": True}

    app = make_app(work)
    with TestClient(app) as client:
        app.state.engine.loading.result(timeout=60)
        address = submit(client)
        assert begun.wait(60)
        failed = threading.Event()
        monkeypatch.setattr(workers.logger, "warning", lambda *_: failed.set())
        with locked(file):
            answer = client.post("/jobs", json={})
            assert (answer.status_code, answer.headers["Retry-After"]) == (503, "5")
            assert client.get(address).json()["state"] == "running"
            assert client.post("/predict", json={"inputs": INPUTS[0]}).status_code == 200
            may_end.set()
            assert failed.wait(60)
        done = wait(client, address)
    assert (done["state"], done["result"], done["failures"]) == ("succeeded", {"done": True}, 0)


def test_the_api_goes_on_while_a_newer_release_migrates_its_database_and_starts_again_on_it(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(service, "CACHE_TTL_SECONDS", -1)  # each answer asks the database
    app = make_app(lambda context: {})
    with TestClient(app) as client:
        app.state.engine.loading.result(timeout=60)
        with opened(components.get_settings()) as database, database.begin() as connection:
            connection.execute(text("UPDATE alembic_version SET version_num = 'newer'"))
        assert client.get("/ready").status_code == 200, "other pods of its release are replaced one by one"
        assert wait(client, submit(client))["state"] == "succeeded"
    app = make_app(lambda context: {})
    with TestClient(app) as client:
        app.state.engine.loading.result(timeout=60)
        assert client.get("/ready").status_code == 200, "after a rollback"
        assert wait(client, submit(client))["state"] == "succeeded"


def test_with_a_database_without_its_schema_the_api_is_alive_but_not_ready(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(service, "CACHE_TTL_SECONDS", -1)
    app = make_app()
    with TestClient(app) as client:
        app.state.engine.loading.result(timeout=60)
        with opened(components.get_settings()) as database, database.begin() as connection:
            connection.execute(text("DELETE FROM alembic_version"))
        assert client.get("/health").status_code == 200
        assert "run the command migrate" in client.get("/ready").json()["reasons"][0]


@pytest.mark.parametrize(("name", "value"), [("DATABASE", "nonsense"), ("BROKER", "nonsense"), ("JOB_ATTEMPTS", "0")])
def test_an_invalid_setting_is_refused(name: str, value: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(f"MY_PROJECT_{name}", value)
    with pytest.raises(ValidationError, match=name.lower()):
        Settings()


@pytest.mark.parametrize("query", ["state=done", "limit=0", "before=yesterday"])
def test_an_invalid_query_is_refused_with_its_name(query: str) -> None:
    with TestClient(make_app()) as client:
        answer = client.get(f"/jobs?{query}")
    assert answer.status_code == 422
    assert answer.json()["error"].startswith(query.partition("=")[0])


@pytest.mark.parametrize("id", ["none", "%00", "a%00b", "%ED%A0%80", "%FF", "x" * 5000, "'", "%C3%A9" * 100])
def test_an_unknown_job_is_answered_with_404(id: str) -> None:
    with TestClient(make_app()) as client:
        for method in ("GET", "DELETE"):
            answer = client.request(method, f"/jobs/{id}")
            assert answer.status_code == 404, answer.text


class AnyArguments(BaseModel):
    """Arguments of any kind."""

    value: Any = None


@pytest.mark.parametrize(
    "value",
    ['"a\\u0000"', '"\\ud800"', '{"\\u0000": 1}', "[" * 200 + "]" * 200],
    ids=["nul", "surrogate", "key", "depth"],
)
def test_arguments_that_no_database_holds_are_refused(monkeypatch: pytest.MonkeyPatch, value: str) -> None:
    monkeypatch.setattr(FakeJob, "arguments", AnyArguments)
    with TestClient(make_app(lambda context: {})) as client:
        content, headers = f'{{"arguments": {{"value": {value}}}}}', {"Content-Type": "application/json"}
        answer = client.post("/jobs", content=content, headers=headers)
        assert answer.status_code == 422, answer.text
        assert "value" in answer.json()["error"] or "nested" in answer.json()["error"]
        assert client.get("/jobs").json() == []


@pytest.mark.parametrize("key", ["a" * 201, "a b", "a\x00"])
def test_an_idempotency_key_that_no_database_holds_is_refused(key: str) -> None:
    with TestClient(make_app()) as client:
        answer = client.post("/jobs", json={}, headers={"Idempotency-Key": key})
        assert answer.status_code == 422, answer.text
        assert client.get("/jobs").json() == []


@pytest.mark.parametrize(
    ("result", "state", "seen"),
    [
        ({"text": "a\x00\ud800", "mean": float("nan")}, "succeeded", {"text": "a\ufffd\ufffd", "mean": None}),
        ({"numbers": [10**40]}, "succeeded", {"numbers": [10**40]}),
        ({"object": object()}, "failed", "not JSON"),
        (["a list"], "failed", "a list, not a dictionary"),
    ],
    ids=["text", "number", "object", "list"],
)
def test_a_job_ends_whatever_it_returns(result: Any, state: str, seen: Any) -> None:
    with TestClient(make_app(lambda context: result)) as client:
        done = wait(client, submit(client))
        assert done["state"] == state
        assert done["result"] == seen if state == "succeeded" else seen in done["error"]
        assert done["failures"] == int(state == "failed")


@pytest.mark.parametrize("error", [ValueError("a\x00b"), RuntimeError("\ud800"), InvalidInputError("no column a\x00")])
def test_a_job_ends_whatever_it_raises(error: Exception, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(context: JobContext) -> dict[str, Any]:
        raise error

    monkeypatch.setenv("MY_PROJECT_JOB_ATTEMPTS", "1")
    components.get_settings.cache_clear()
    with TestClient(make_app(fail)) as client:
        done = wait(client, submit(client))
        assert done["state"] == "failed" and "\ufffd" in done["error"]
        assert wait(client, submit(client))["state"] == "failed", "the thread goes on"


@pytest.mark.parametrize("offset", ["-05:00", "%2B05:30", "Z", ""])
def test_jobs_before_a_time_of_any_zone_are_listed(offset: str) -> None:
    with TestClient(make_app(lambda context: {})) as client:
        wait(client, submit(client))
        zone = datetime.fromisoformat(f"2026-01-01T00:00:00{offset.replace('%2B', '+') or '+00:00'}").tzinfo
        for seconds, count in ((60, 1), (-60, 0)):
            moment = (datetime.now(UTC) + timedelta(seconds=seconds)).astimezone(zone).replace(tzinfo=None)
            assert len(client.get(f"/jobs?before={moment.isoformat()}{offset}").json()) == count
        for year, count in (("0001-01-01T00:00:00", 0), ("9999-12-31T23:59:59", 1)):
            assert len(client.get(f"/jobs?before={year}{offset}").json()) == count
