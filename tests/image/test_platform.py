"""A whole system on the real engine: API, workers, scheduler, Redis and PostgreSQL, killed and renewed on the way."""

import json
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.engine import PATIENCE, docker
from tests.image.test_compose import Compose, compose_of
from tests.program import run

pytestmark = pytest.mark.image

RECORDS = 10_000
"""Records of each job: enough that a worker is killed in the middle of one."""

EVERY_MINUTE = "* * * * *"


class System:
    """A platform that runs as in production."""

    def __init__(self, folder: Path, compose: Compose) -> None:
        self.folder, self.compose = folder, compose

    def up(self, *arguments: str) -> None:
        """Starts what is not running."""
        done = self.compose("up", "--detach", "--wait", "--no-build", *arguments)
        assert done.returncode == 0, done.stdout + done.stderr + self.compose("logs", "--tail=50").stdout

    @property
    def client(self) -> httpx.Client:
        """A client of one of the APIs."""
        published = self.compose("port", "api", "8000").stdout.strip()
        return httpx.Client(base_url=f"http://{published}", timeout=30)

    def put(self, name: str, content: str) -> None:
        """Writes a file into the storage."""
        script = f"mkdir -p /data/files && cat > /data/files/{name}"
        command = ["docker", "compose", "--file=compose.yaml", "exec", "-T", "api", "sh", "-c", script]
        done = run(command, cwd=self.folder, input=content)
        assert done.returncode == 0, done.stderr

    def lines(self, name: str) -> int:
        """Lines of a file of the storage."""
        done = self.compose("exec", "-T", "api", "wc", "-l", f"/data/files/{name}")
        assert done.returncode == 0, done.stderr
        return int(done.stdout.split()[0])

    def containers(self, service: str) -> list[str]:
        """Those of a service."""
        return self.compose("ps", "--quiet", service).stdout.split()


@pytest.fixture(scope="module")
def system(project: Any, tags: list[str]) -> Iterator[System]:
    """A platform with a model, in which no job was done yet."""
    folder = project("platform")
    assert run(["make", "secrets"], cwd=folder).returncode == 0
    (folder / ".env").write_text(f"PORT=0\nMY_PROJECT_SCHEDULE={EVERY_MINUTE}\nMY_PROJECT_MODEL_LOOK=1\n")
    compose = compose_of(folder, "compose.yaml")
    tags.append("slipway-test-platform")
    system = System(folder, compose)
    try:
        done = compose("build")
        assert done.returncode == 0, done.stdout + done.stderr
        done = compose("run", "--rm", "--no-deps", "-T", "api", "train")
        assert done.returncode == 0, done.stdout + done.stderr
        system.up()
        yield system
    finally:
        compose("down", "--volumes", "--timeout=1")


def ends(system: System, ids: list[str]) -> list[dict[str, Any]]:
    """The jobs when all have ended."""
    deadline = time.monotonic() + 4 * PATIENCE
    while True:
        try:
            jobs = [system.client.get(f"/jobs/{id}").raise_for_status().json() for id in ids]
        except httpx.HTTPError:  # what it stands on may be away
            jobs = []
        if jobs and all(job["state"] in ("succeeded", "failed", "cancelled") for job in jobs):
            return jobs
        assert time.monotonic() < deadline, jobs
        time.sleep(0.5)


def submit(system: System, key: str) -> str:
    """A job that is accepted, however often it has to be asked for."""
    deadline = time.monotonic() + PATIENCE
    while True:
        try:
            order = {"arguments": {"source": "inputs.jsonl", "target": f"out/{key}.jsonl"}}
            answer = system.client.post("/jobs", json=order, headers={"Idempotency-Key": key})
            if answer.status_code == 202:
                return answer.json()["id"]
        except httpx.HTTPError:
            pass
        assert time.monotonic() < deadline
        time.sleep(0.2)


def test_no_job_is_lost_and_none_is_done_twice_whatever_is_killed(system: System) -> None:
    system.put("inputs.jsonl", "".join(json.dumps({"text": f"user-{n % 200}"}) + "\n" for n in range(RECORDS)))
    system.up("--scale=worker=2")
    ids = []
    for number, killed in enumerate(["worker", "redis", "worker", "postgres", "api"]):
        ids += [submit(system, f"{number}-{each}") for each in range(4)]
        docker("kill", "--signal=KILL", system.containers(killed)[0])
        system.up("--scale=worker=2")
    jobs = ends(system, ids)
    assert [job["state"] for job in jobs] == ["succeeded"] * len(ids), jobs
    assert len({job["id"] for job in jobs}) == len(ids)
    assert all(job["result"] == {**job["result"], "records": RECORDS, "failed": 0} for job in jobs)
    assert {system.lines(job["result"]["target"]) for job in jobs} == {RECORDS}


@contextmanager
def asked_all_the_time(system: System) -> Iterator[list[int]]:
    """The statuses of predictions that four clients ask for until the block ends; 0 where there was no answer."""
    ended, statuses = threading.Event(), list[int]()

    def ask() -> None:
        with system.client as client:
            while not ended.is_set():
                try:
                    answer = client.post("/predict", json={"inputs": ["user-1", "user-2"]})
                    statuses.append(answer.status_code)
                except httpx.HTTPError:
                    statuses.append(0)

    threads = [threading.Thread(target=ask) for _ in range(4)]
    for each in threads:
        each.start()
    try:
        yield statuses
    finally:
        ended.set()
        for each in threads:
            each.join()


def served(system: System, version: str) -> str:
    """The version that is served as soon as it is another one."""
    deadline = time.monotonic() + PATIENCE
    while True:
        found = system.client.get("/health").raise_for_status().json()["revision"]
        if found != version:
            return found
        assert time.monotonic() < deadline, system.compose("logs", "--tail=20", "schedule", "api").stdout
        time.sleep(0.5)


def test_versions_of_a_schedule_are_served_with_no_request_lost(system: System) -> None:
    system.up()
    first = system.client.get("/health").json()["revision"]
    with asked_all_the_time(system) as statuses:
        second = served(system, first)
        third = served(system, second)
    assert first < second < third
    assert len(statuses) > 100
    assert set(statuses) == {200}
    said = system.compose("logs", "schedule").stdout
    assert "the training ended with exit code 0" in said
    assert "the next training begins at" in said


def test_a_training_by_hand_is_served_too_and_an_older_version_by_setting(system: System) -> None:
    system.compose("stop", "schedule")
    before = system.client.get("/health").json()["revision"]
    done = system.compose("run", "--rm", "--no-deps", "-T", "api", "train")
    assert done.returncode == 0, done.stderr
    trained = done.stdout.strip()
    assert served(system, before) == trained
    with (system.folder / ".env").open("a") as settings:
        settings.write(f"MY_PROJECT_MODEL_VERSION={before}\n")
    system.up("api")
    assert system.client.get("/health").json()["revision"] == before


def test_the_scheduler_ends_at_once(system: System) -> None:
    system.up("schedule")
    [scheduler] = system.containers("schedule")
    system.compose("stop", "--timeout=8", "schedule")
    assert docker("inspect", "--format", "{{.State.ExitCode}}", scheduler).stdout.strip() == "0"
