"""A platform on the real engine: kill and scale its API, workers, Redis and PostgreSQL, and serve new versions."""

import itertools
import json
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import httpx
import pytest

from tests.engine import docker
from tests.program import run
from tests.system import System

pytestmark = pytest.mark.image

MANY = 10_000
"""Records of a job that is long enough to kill its worker in the middle."""

FEW = 200
"""Records of a short job."""

EVERY_MINUTE = "* * * * *"


@pytest.fixture(scope="module")
def system(project: Callable[[str], Path], tags: list[str]) -> Iterator[System]:
    """Yield a platform with a model and input files, before its first job."""
    folder = project("platform")
    assert run(["make", "secrets"], cwd=folder).returncode == 0
    (folder / ".env").write_text(f"PORT=0\nMY_PROJECT_SCHEDULE={EVERY_MINUTE}\nMY_PROJECT_MODEL_POLL_SECONDS=1\n")
    tags.append("slipway-test-platform")
    system = System(folder)
    try:
        system.start()
        for records in (MANY, FEW):
            lines = (json.dumps({"text": f"user-{number % 200}"}) + "\n" for number in range(records))
            system.put(f"{records}.jsonl", "".join(lines))
        yield system
    finally:
        system.down()


def order(records: int, name: str) -> dict[str, dict[str, str]]:
    """Return the request of a job that predicts from as many records and writes a file of this name."""
    return {"arguments": {"source": f"{records}.jsonl", "target": f"out/{name}.jsonl"}}


def assert_done_once(system: System, ids: list[str], records: int) -> None:
    """Wait for the jobs and check that each succeeded once, with all its records."""
    jobs = system.ends(ids)
    assert [job["state"] for job in jobs] == ["succeeded"] * len(ids), jobs
    assert len(set(ids)) == len(ids)
    assert all(job["result"] == {**job["result"], "records": records, "failed": 0} for job in jobs)
    assert system.lines([job["result"]["target"] for job in jobs]) == {records}


def test_no_job_is_lost_and_none_is_done_twice_whatever_is_killed(system: System) -> None:
    system.up("--scale=worker=2")
    ids: list[str] = []
    for number, killed in enumerate(["worker", "redis", "worker", "postgres", "api"]):
        ids += [system.submit(f"{number}-{each}", order(MANY, f"{number}-{each}")) for each in range(4)]
        docker("kill", "--signal=KILL", system.containers(killed)[0])
        system.up("--scale=worker=2")
    assert_done_once(system, ids, MANY)


class Clients:
    """Clients that request predictions and submit jobs at several APIs in turn, until the block ends."""

    def __init__(self, system: System, addresses: list[str]) -> None:
        self.addresses = addresses
        """The APIs to use from now on."""
        self.statuses = list[tuple[str, int]]()
        self.unanswered = list[tuple[str, float]]()
        """Address and time of each request without a response."""
        self.ids = list[str]()
        self._system = system
        self._ended = threading.Event()
        self._threads = [threading.Thread(target=self._predict) for _ in range(3)]
        self._threads.append(threading.Thread(target=self._submit))

    def __enter__(self) -> "Clients":
        for each in self._threads:
            each.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._ended.set()
        for each in self._threads:
            each.join()

    def _ask(
        self, clients: dict[str, httpx.Client], number: int, path: str, body: object, key: str = ""
    ) -> httpx.Response | None:
        address = self.addresses[number % len(self.addresses)]
        client = clients.setdefault(address, httpx.Client(base_url=address, timeout=30))
        try:
            answer = client.post(path, json=body, headers={"Idempotency-Key": key} if key else {})
        except httpx.TransportError:
            self.unanswered.append((address, time.monotonic()))
            return None
        self.statuses.append((path, answer.status_code))
        return answer

    def _predict(self) -> None:
        clients = dict[str, httpx.Client]()
        for number in itertools.count():
            self._ask(clients, number, "/predict", {"inputs": ["user-1", "user-2"]})
            if self._ended.wait(0.02):
                return

    def _submit(self) -> None:
        """Submit jobs; retry one without a response at another API, with the same key."""
        clients, job = dict[str, httpx.Client](), 0
        for number in itertools.count():
            key = f"{id(self)}-{job}"
            answer = self._ask(clients, number, "/jobs", order(FEW, key), key)
            if answer is not None and answer.status_code == 202:
                self.ids.append(answer.json()["id"])
                job += 1
            if self._ended.wait(0.5):
                return


def test_scaling_under_load_loses_no_job_and_breaks_no_request_but_towards_an_api_that_ends(system: System) -> None:
    system.up("--scale=worker=1")
    with Clients(system, system.addresses()) as clients:
        first = list(clients.addresses)
        system.up("--scale=worker=3", "--scale=api=2")
        clients.addresses = system.addresses()
        assert len(clients.addresses) == 2
        time.sleep(3)  # time for requests to both
        assert clients.unanswered == []
        system.up("--scale=worker=1", "--scale=api=1")
        clients.addresses = system.addresses()
        assert clients.addresses == first
    assert {address for address, _ in clients.unanswered}.isdisjoint(first)
    assert {status for path, status in clients.statuses if path == "/predict"} == {200}
    assert {status for path, status in clients.statuses if path == "/jobs"} == {202}
    assert_done_once(system, clients.ids, FEW)


def test_versions_of_a_schedule_and_by_hand_are_served_with_no_request_lost_and_an_older_one_by_setting(
    system: System,
) -> None:
    first = str(system.client.get("/health").json()["revision"])
    with Clients(system, system.addresses()) as clients:
        second = system.served(first)
        system.compose("stop", "schedule")
        before = str(system.client.get("/health").json()["revision"])
        done = system.compose("run", "--rm", "--no-deps", "-T", "api", "train")
        assert done.returncode == 0, done.stderr
        third = done.stdout.strip()
        assert system.served(before) == third
    assert first < second <= before < third
    assert clients.unanswered == []
    assert {status for _, status in clients.statuses} == {200, 202}
    said = system.compose("logs", "schedule").stdout
    assert "the training ended with exit code 0" in said
    assert "the next training begins at" in said
    with (system.folder / ".env").open("a") as settings:
        settings.write(f"MY_PROJECT_MODEL_VERSION={second}\n")
    system.up("api")
    assert system.client.get("/health").json()["revision"] == second
    assert_done_once(system, clients.ids, FEW)


def test_the_scheduler_ends_at_once(system: System) -> None:
    system.up("schedule")
    [scheduler] = system.containers("schedule")
    system.compose("stop", "--timeout=8", "schedule")
    assert docker("inspect", "--format", "{{.State.ExitCode}}", scheduler).stdout.strip() == "0"
