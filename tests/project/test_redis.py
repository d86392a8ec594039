"""Replicas of a platform share the quota of requests through a real Redis."""

import re
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from tests.engine import attempt, docker, need_engine
from tests.installed import Make
from tests.program import run
from tests.project.machinery import copy_tests
from tests.project.test_checks import BUCKET

pytestmark = pytest.mark.project

READY = "until redis-cli ping; do sleep 0.1; done"


@contextmanager
def redis(image: str) -> Iterator[str]:
    """Yield the address of an empty Redis server."""
    name = docker("run", "--detach", "--publish=127.0.0.1::6379", image).stdout.strip()
    try:
        docker("exec", name, "sh", "-c", READY, timeout=60)
        [published] = docker("port", name, "6379/tcp").stdout.split()
        yield f"redis://{published}"
    finally:
        attempt("rm", "--force", "--volumes", name)


def test_replicas_share_the_quota_of_requests(make_project: Make) -> None:
    need_engine()
    project = make_project(**BUCKET)
    copy_tests(project.path, "custom")
    [image] = set(re.findall(r"image: (redis:.*)", (project.path / "compose.yaml").read_text()))
    suite = "tests/machinery/jobs/test_request_counter.py"
    with redis(image) as address:
        environment = project.environment | {"TEST_REDIS": address}
        done = run([project.path / ".venv/bin/pytest", suite], cwd=project.path, env=environment)
    assert done.returncode == 0, done.stdout + done.stderr
    assert " passed" in done.stdout and "skipped" not in done.stdout
