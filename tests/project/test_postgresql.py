"""A platform's own tests pass on PostgreSQL, the database of projects in production."""

import re
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from tests.conftest import rows
from tests.engine import attempt, docker, need_engine
from tests.installed import Make
from tests.program import run
from tests.project.machinery import copy_tests
from tests.project.test_checks import BUCKET

pytestmark = pytest.mark.project

READY = "until pg_isready --quiet --host 127.0.0.1; do sleep 0.1; done"
SUITES = [
    "tests/db",
    "tests/jobs",
    "tests/server/test_prediction_log.py",
    "tests/machinery/db",
    "tests/machinery/jobs/test_files.py",
    "tests/machinery/jobs/test_owners.py",
    "tests/machinery/jobs/test_service.py",
    "tests/machinery/jobs/test_store.py",
    "tests/machinery/server/test_prediction_log.py",
]


@contextmanager
def postgresql(image: str) -> Iterator[str]:
    """Yield the address of an empty database in memory."""
    options = ["--publish=127.0.0.1::5432", "--env=POSTGRES_PASSWORD=test", "--env=LANG=C.UTF-8"]
    name = docker("run", "--detach", "--tmpfs=/var/lib/postgresql/data", *options, image).stdout.strip()
    try:
        docker("exec", name, "sh", "-c", READY, timeout=60)
        [published] = docker("port", name, "5432/tcp").stdout.split()
        yield f"postgresql+psycopg://postgres:test@{published}/postgres"
    finally:
        attempt("rm", "--force", "--volumes", name)


@pytest.mark.parametrize("suite", rows(SUITES, SUITES[-2:]))
def test_the_platforms_own_tests_pass_on_a_real_postgresql(make_project: Make, suite: str) -> None:
    need_engine()
    project = make_project(**BUCKET)
    copy_tests(project.path, "custom")
    [image] = re.findall(r"image: (.*postgres:.*)", (project.path / "compose.yaml").read_text())
    with postgresql(image) as address:
        environment = project.environment | {"TEST_DATABASE": address}
        done = run([project.path / ".venv/bin/pytest", suite], cwd=project.path, env=environment)
    assert done.returncode == 0, done.stdout + done.stderr
    assert " passed" in done.stdout and "skipped" not in done.stdout
