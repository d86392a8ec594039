"""Several processes of a platform with API keys: one SQLite file, one file of keys."""

import os
import re
import signal
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx
import pytest

from tests.installed import Make, Project, Server
from tests.project.customers import go_on, local_settings, make_key, two_customers, until, working
from tests.project.test_checks import BUCKET

pytestmark = pytest.mark.project

REVOCATION_SECONDS = 2.0
"""Most time from a revocation until every process refuses the key."""

JOBS = 20
"""Jobs of each customer of the load."""


@pytest.fixture(scope="module")
def project(make_project: Make) -> Project:
    """Return a platform."""
    return make_project(**BUCKET)


@pytest.fixture
def settings(project: Project, tmp_path: Path) -> dict[str, str]:
    """Return settings of two processes that keep everything in the test's folder."""
    quotas = {"MY_PROJECT_QUOTA_FILE_BYTES": "10000000", "MY_PROJECT_QUOTA_WAITING_JOBS": "1000"}
    return local_settings(project, tmp_path) | quotas | {"WEB_CONCURRENCY": "2"}


def processes(server: Server) -> list[int]:
    """Return the ids of both processes, once both serve."""

    def started() -> list[str] | None:
        text = "".join(server.log)
        found = re.findall(r"Started server process \[(\d+)\]", text)
        return found if text.count("startup complete") == len(found) == 2 else None

    return [int(each) for each in until(started, "two processes")]


@contextmanager
def alone(stopped: int) -> Iterator[None]:
    """Stop one of two processes while the block runs, so that the other answers."""
    os.kill(stopped, signal.SIGSTOP)
    try:
        yield
    finally:
        os.kill(stopped, signal.SIGCONT)


def status(server: Server, headers: dict[str, str], path: str = "/jobs") -> int:
    """Return the status of an answer over a new connection."""
    return httpx.get(f"{server.url}{path}", headers=headers, timeout=60).status_code


def test_a_revoked_key_is_refused_by_every_process_and_each_logs_the_name(
    project: Project, settings: dict[str, str]
) -> None:
    keys = {name: make_key(project, name, settings) for name in ("ann", "bob")}
    with project.served(**settings) as server:
        one, other = processes(server)
        for number, stopped in enumerate((one, other)):
            with alone(stopped):
                for name, headers in keys.items():
                    assert status(server, headers, f"/jobs?limit={number + 1}") == 200, name
        file = settings["MY_PROJECT_API_KEYS_FILE"]
        done = project.run("keys", "revoke", "ann", MY_PROJECT_API_KEYS_FILE=file)
        revoked = time.monotonic()
        assert (done.returncode, done.stderr) == (0, "revoked ann\n")
        for stopped in (one, other):
            with alone(stopped):
                until(lambda: status(server, keys["ann"]) == 401, "refused", REVOCATION_SECONDS)
                assert status(server, keys["bob"]) == 200
        assert time.monotonic() - revoked < 2 * REVOCATION_SECONDS
        added = make_key(project, "eve", settings)
        for stopped in (one, other):
            with alone(stopped):
                until(lambda: status(server, added) == 200, "accepted", REVOCATION_SECONDS)
    requests = [line.rstrip() for line in server.log if "uvicorn.access" in line]
    for number in (1, 2):
        found = [line.split()[-1] for line in requests if f"/jobs?limit={number} " in line]
        assert found == ["[ann]", "[bob]"], f"what process {number} logs"
    assert {line.split()[-1] for line in requests if " 401" in line} == {"401"}, "nobody's"
    secrets = [headers["Authorization"].split()[1] for headers in [*keys.values(), added]]
    assert not [line for line in server.log if any(secret in line for secret in secrets)]


def test_processes_that_share_an_sqlite_file_lose_and_double_no_job(
    project: Project, settings: dict[str, str], tmp_path: Path
) -> None:
    keys = {name: make_key(project, name, settings) for name in ("ann", "bob")}
    with (
        project.served(**settings) as server,
        working(project, settings, tmp_path / "worker.log"),  # a third process that writes to the file
        two_customers(server.url, keys) as customers,
    ):
        processes(server)
        with customers[0], customers[1]:
            go_on(customers, JOBS)
        for each in customers:
            each.assert_all_done_once()
            assert not [count for (_, status), count in each.statuses.items() if status == 503], "a lock is waited for"
        metrics = httpx.get(f"{server.url}/metrics", headers=keys["ann"], timeout=60).text
        text = "".join(server.log)
    assert "Traceback" not in text and 'status="500"' not in metrics
    assert "Traceback" not in (tmp_path / "worker.log").read_text()
