"""A platform whose Redis or PostgreSQL restarts or falls silent while clients with API keys use it."""

import re
import socket
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass

import httpx
import pytest

from tests.conftest import rows
from tests.engine import attempt, docker, need_engine
from tests.installed import Make, Project
from tests.project.customers import go_on, local_settings, make_key, two_customers, until, working
from tests.project.test_checks import BUCKET
from tests.project.test_postgresql import READY as POSTGRESQL_READY
from tests.project.test_redis import READY as REDIS_READY

pytestmark = pytest.mark.project

REQUESTS_PER_SECOND = 60
FILE_BYTES = 30_000_000
"""Quotas of a key; that of files has room for the reservations of uploads at the same time, of 8 MB each."""


@dataclass
class Platform:
    """A running API and worker, and the containers that they need."""

    project: Project
    settings: dict[str, str]
    containers: dict[str, str]
    url: str
    log: list[str]

    def key(self, name: str) -> dict[str, str]:
        """Make a key and wait until the API knows it."""
        headers = make_key(self.project, name, self.settings)
        until(lambda: httpx.get(f"{self.url}/jobs", headers=headers).status_code == 200, "known")
        return headers

    def attempts(self) -> dict[str, int]:
        """Return the number of attempts of the worker by outcome."""
        text = httpx.get(f"http://127.0.0.1:{self.settings['MY_PROJECT_METRICS_PORT']}/metrics").text
        found = re.findall(r'^job_attempts_total{kind="\w+",outcome="(\w+)"} ([\d.]+)', text, re.MULTILINE)
        return {outcome: int(float(count)) for outcome, count in found}


def free_port() -> int:
    """Return a free port: one that a container publishes must stay the same when it is started again."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return int(free.getsockname()[1])


@contextmanager
def container(
    image: str, port: int, ready: str, *options: str, command: Sequence[str] = ()
) -> Iterator[tuple[str, int]]:
    """Yield the name and the published port of a container that keeps its data over a restart."""
    published = free_port()
    options = (f"--publish=127.0.0.1:{published}:{port}", *options)
    name = docker("run", "--detach", *options, image, *command).stdout.strip()
    try:
        docker("exec", name, "sh", "-c", ready, timeout=60)
        yield name, published
    finally:
        attempt("rm", "--force", "--volumes", name)


@pytest.fixture(scope="module")
def platform(make_project: Make, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Platform]:
    """Yield a platform with Redis, PostgreSQL, a worker and quotas for each key."""
    need_engine()
    project, folder = make_project(**BUCKET), tmp_path_factory.mktemp("platform")
    compose = (project.path / "compose.yaml").read_text()
    [redis_image] = set(re.findall(r"image: (redis:.*)", compose))
    [postgres_image] = re.findall(r"image: (.*postgres:.*)", compose)
    with ExitStack() as stack:
        postgres, port = stack.enter_context(
            container(postgres_image, 5432, POSTGRESQL_READY, "--env=POSTGRES_PASSWORD=test", "--env=LANG=C.UTF-8")
        )
        redis, redis_port = stack.enter_context(
            container(redis_image, 6379, REDIS_READY, command=("redis-server", "--appendonly", "yes"))
        )
        settings = local_settings(project, folder) | {
            "MY_PROJECT_DATABASE": f"postgresql+psycopg://postgres:test@127.0.0.1:{port}/postgres",
            "MY_PROJECT_BROKER": f"redis://127.0.0.1:{redis_port}",
            "MY_PROJECT_QUOTA_REQUESTS_PER_SECOND": str(REQUESTS_PER_SECOND),
            "MY_PROJECT_QUOTA_FILE_BYTES": str(FILE_BYTES),
            "MY_PROJECT_QUOTA_WAITING_JOBS": "1000",
            "MY_PROJECT_RECORD_PREDICTIONS": "true",
            "MY_PROJECT_METRICS_PORT": str(free_port()),
        }
        make_key(project, "first", settings)
        done = project.run("migrate", **settings)
        assert done.returncode == 0, done.stderr
        stack.enter_context(working(project, settings, folder / "worker.log"))
        server = stack.enter_context(project.served(**settings))
        until(lambda: httpx.get(f"{server.url}/ready").status_code == 200, "ready")
        yield Platform(project, settings, {"redis": redis, "postgres": postgres}, server.url, server.log)


def reasons(platform: Platform) -> str:
    """Return why the API is not ready; empty if it is."""
    answer = httpx.get(f"{platform.url}/ready", timeout=60)
    return "" if answer.status_code == 200 else " ".join(answer.json()["reasons"])


def counted(platform: Platform, name: str, headers: dict[str, str]) -> bool:
    """Send requests until the quota refuses one, and return whether it was counted in Redis."""
    with ThreadPoolExecutor(4) as pool, httpx.Client(base_url=platform.url, headers=headers, timeout=60) as client:
        answers = list(pool.map(client.get, ["/jobs?limit=1"] * 4 * REQUESTS_PER_SECOND))
    refused = [each for each in answers if each.status_code == 429]
    assert {each.status_code for each in answers} <= {200, 429}
    assert all(each.headers["Retry-After"].isdecimal() for each in refused)
    stored = docker("exec", platform.containers["redis"], "redis-cli", "--scan", "--pattern", "*:requests*").stdout
    return bool(refused) and name in stored


def assert_quotas_hold(platform: Platform, name: str) -> None:
    """Check the quotas of requests and of files with a new key."""
    headers = platform.key(name)
    until(lambda: counted(platform, name, headers), "counted in Redis")

    def put(size: int) -> int | None:
        answer = httpx.put(f"{platform.url}/files/{name}", content=bytes(size), headers=headers, timeout=60)
        return None if answer.status_code == 429 else answer.status_code

    assert until(lambda: put(FILE_BYTES + 1), "allowed") == 507
    assert until(lambda: put(FILE_BYTES), "allowed") == 201


@pytest.mark.parametrize("end", rows(["kill", "stop"], ["kill"]))
@pytest.mark.parametrize("service", ["redis", "postgres"])
def test_a_restart_under_load_costs_no_prediction_and_no_job(platform: Platform, service: str, end: str) -> None:
    keys = {name: platform.key(name) for name in (f"a-{service}-{end}", f"b-{service}-{end}")}
    succeeded = platform.attempts().get("succeeded", 0)
    with two_customers(platform.url, keys) as customers:
        with customers[0], customers[1]:
            go_on(customers, 3)
            docker(end, platform.containers[service])
            found = until(lambda: reasons(platform), "not ready")
            if service == "redis":
                go_on(customers, 3)  # jobs are accepted, and announced later
            else:
                refused = ("submit", "put", "list jobs", "list files")
                until(lambda: all(each.statuses[what, 503] for each in customers for what in refused), "refused")
            docker("start", platform.containers[service])
            until(lambda: not reasons(platform), "ready again")
            go_on(customers, 3)
        assert f"the {'broker' if service == 'redis' else 'database'} cannot be reached" in found
        for each in customers:
            each.assert_all_done_once()
    if service == "redis":
        assert {status for each in customers for _, status in each.statuses} <= {200, 201, 202, 404}
    submitted = sum(len(each.submitted) for each in customers)
    assert platform.attempts()["succeeded"] - succeeded <= submitted, "no job is done twice"
    assert_quotas_hold(platform, f"c-{service}-{end}")


PREDICTION_SECONDS = 2.0
"""Maximum time to a prediction while a server is paused."""

READY_SECONDS = 3.0
"""Time after which the health check of the image gives up."""

ANSWER_SECONDS = {"redis": 10.0, "postgres": 30.0}
"""Maximum time to the answer about a job or a file, by the server that is paused.

An upload that meets the pause waits for a statement and then, in vain, to undo what it has done to three rows.
"""


@pytest.mark.exhaustive
@pytest.mark.parametrize("service", ["redis", "postgres"])
def test_a_pause_under_load_costs_no_prediction_and_no_job(platform: Platform, service: str) -> None:
    """A paused server leaves its connections open and accepts new ones, but answers nothing."""
    container = platform.containers[service]
    keys = {name: platform.key(name) for name in (f"a-{service}-pause", f"b-{service}-pause")}
    named = f"the {'broker' if service == 'redis' else 'database'} "
    succeeded = platform.attempts().get("succeeded", 0)
    probed = list[float]()

    def probe() -> str:
        started = time.monotonic()
        assert httpx.get(f"{platform.url}/health", timeout=60).status_code == 200
        assert time.monotonic() - started < 1
        found = reasons(platform)
        probed.append(time.monotonic() - started)
        return found

    def are_refused() -> bool:
        assert named in probe()
        return all(each.statuses[what, 503] for each in customers for what in ("submit", "put", "list jobs"))

    with two_customers(platform.url, keys) as customers:
        with customers[0], customers[1]:
            go_on(customers, 3)
            docker("pause", container)
            try:
                until(probe, "not ready")
                if service == "redis":
                    go_on(customers, 3)  # jobs are accepted, and announced later
                    assert named in probe()
                else:
                    until(are_refused, "refused")
            finally:
                docker("unpause", container)
            until(lambda: not reasons(platform), "ready again")
            go_on(customers, 3)
        for each in customers:
            each.assert_all_done_once()
            assert each.longest.pop("predict") < PREDICTION_SECONDS
            assert max(each.longest.values()) < ANSWER_SECONDS[service], each.longest
    if service == "redis":
        assert {status for each in customers for _, status in each.statuses} <= {200, 201, 202, 404}
    assert max(probed) < READY_SECONDS
    submitted = sum(len(each.submitted) for each in customers)
    assert platform.attempts()["succeeded"] - succeeded <= submitted, "no job is done twice"
    assert_quotas_hold(platform, f"c-{service}-pause")
