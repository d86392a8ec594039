"""Run a workspace on a Docker engine: services behind the proxy, with a shared database and a shared broker."""

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.engine import attempt
from tests.workspace.system import System, new

pytestmark = pytest.mark.image

LIMIT_BYTES = 8 * 10**9
"""Memory that ten services may take on a laptop."""


@pytest.fixture(scope="module")
def system(template: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[System]:
    """Yield two services: one with jobs in PostgreSQL and Redis, one that needs nothing."""
    system = new(template, tmp_path_factory.mktemp("system"), "slipway-test-farm")
    try:
        system.add("docs", "platform", "--data=services=[postgres]", "--data=training=manual")
        system.add("ocr", "custom")
        system.start()
        yield system
    finally:
        system.remove()


def test_services_answer_through_the_proxy(system: System) -> None:
    with system.proxy() as client:
        for name in ("docs", "ocr"):
            assert client.get(f"/{name}/ready").json() == {"status": "ready"}
            answer = client.post(f"/{name}/predict", json={"inputs": ["user-1"]})
            assert answer.status_code == 200, answer.text
            assert len(answer.json()) == 1
            assert client.get(f"/{name}").headers["Location"] == f"/{name}/"
            assert client.get(f"/{name}/metrics").status_code == 404
        assert client.get("/nowhere").status_code == 404


def test_jobs_of_a_service_run_in_shared_infrastructure(system: System) -> None:
    with system.proxy() as client:
        assert client.get("/docs/jobs").status_code == 200
    create = "PGPASSWORD=$(cat /run/secrets/postgres_password) psql -h localhost -U postgres -c"
    for statement in ("CREATE DATABASE other", "REVOKE CONNECT ON DATABASE other FROM PUBLIC"):
        system.compose("exec", "-T", "postgres", "sh", "-c", f"{create} '{statement}'")
    kept = system.compose("exec", "-T", "docs-api", "python", "-c", SELECT.format(database="docs"))
    assert kept.split() == ["docs", "docs", "True"]
    other = attempt(
        "compose", "exec", "-T", "docs-api", "python", "-c", SELECT.format(database="other"), cwd=system.root
    )
    assert other.returncode != 0 and "permission denied for database" in other.stderr


SELECT = """
import psycopg
password = open("/run/secrets/database_password").read()
with psycopg.connect(host="postgres", user="docs", dbname="{database}", password=password) as connection:
    print(*connection.execute("SELECT current_user, current_database(), to_regclass('jobs') IS NOT NULL").fetchone())
"""


def test_a_service_reaches_what_it_needs_and_nothing_else(system: System) -> None:
    def finds(container: str, host: str) -> bool:
        return attempt("compose", "exec", "-T", container, "getent", "hosts", host, cwd=system.root).returncode == 0

    assert all(finds("docs-api", host) for host in ("postgres", "redis", "ocr", "worker"))
    assert finds("ocr-api", "docs")
    assert not any(finds("ocr-api", host) for host in ("postgres", "redis", "worker"))


def test_the_proxy_takes_a_new_path(system: System) -> None:
    services = system.root / "services.yml"
    before = services.read_text()
    services.write_text(before.replace("path: /ocr", "path: /reader/v2"))
    try:
        system.succeed("up")
        with system.proxy() as client:
            assert client.get("/reader/v2/ready").status_code == 200
            assert client.get("/ocr/ready").status_code == 404
    finally:
        services.write_text(before)


def test_a_service_stops_alone(system: System) -> None:
    system.succeed("down", "SERVICE=ocr")
    running = system.compose("ps", "--services").split()
    assert "ocr-api" not in running and "docs-api" in running


@pytest.mark.exhaustive
@pytest.mark.timeout(3600)
def test_ten_services_run_at_once_within_eight_gigabytes(
    template: Path, tmp_path: Path, record_property: Callable[[str, object], None]
) -> None:
    system = new(template, tmp_path, "slipway-test-ten")
    names = [f"service-{number}" for number in range(10)]
    try:
        for name in names:
            system.add(name, "custom")
        system.start()
        with system.proxy() as client:
            for name in names:
                assert client.post(f"/{name}/predict", json={"inputs": ["user-1"]}).status_code == 200
        used_bytes = system.memory_bytes()
        record_property("used_bytes", used_bytes)  # for benchmarks/memory.md
        assert used_bytes < LIMIT_BYTES
    finally:
        system.remove()
