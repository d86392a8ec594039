"""A system from existing code on the real engine: APIs behind a proxy, workers, beat, a migration and services."""

import json
import ssl
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest
import yaml

from tests.engine import PATIENCE, attempt, build, docker, exists, need_engine
from tests.existing_code.repositories import GUIDE, add_containers, fences, repository
from tests.program import run
from tests.releases import ROOT, commit
from tests.system import System

pytestmark = [pytest.mark.image, pytest.mark.exhaustive]

SLUG = "slipway-test-system"
CADDY = "caddy:2.11-alpine"
JOBS = 80
ANSWERS = {**yaml.safe_load(fences(GUIDE, "yaml")[0]), "project_slug": SLUG}
"""The guide's answers."""


class Dashboard(System):
    """The containers of the repository `system`, reached through the proxy."""

    def proxy(self) -> httpx.Client:
        """Return a client of the proxy that trusts its own authority."""
        root = self.compose("exec", "-T", "proxy", "cat", "/data/caddy/pki/authorities/local/root.crt").stdout
        port = self.compose("port", "proxy", "443").stdout.strip().rpartition(":")[2]
        trusted = ssl.create_default_context(cadata=root)
        return httpx.Client(base_url=f"https://localhost:{port}", verify=trusted, timeout=30)

    def submit_all(self, ids: list[str]) -> None:
        """Submit jobs; repeat one that no API answers, with the same id."""
        deadline = time.monotonic() + PATIENCE
        with self.proxy() as client:
            for id in ids:
                while client.put(f"/jobs/{id}", json={"formula": "C2H6O"}).status_code != 202:
                    assert time.monotonic() < deadline, id

    def counts(self) -> dict[str, int]:
        """Return the number of jobs in each state, as the database has them."""
        rows = self.query("SELECT state, count(*) FROM jobs GROUP BY state")
        return {state: int(number) for state, number in rows}


@pytest.fixture(scope="module")
def system(template: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Dashboard]:
    """Yield the system, running, with three APIs behind the proxy."""
    need_engine()
    if not exists(CADDY):
        docker("build", f"--tag={CADDY}", f"--file={ROOT / 'tests/image/caddy.dockerfile'}", ROOT / "tests/image")
    folder = repository("system", tmp_path_factory.mktemp("theirs") / "system")
    done = add_containers(template, folder, **ANSWERS)
    assert done.returncode == 0, done.stderr
    locked = build(folder, "--target=lock", f"--output={folder}")
    assert locked.returncode == 0, locked.output
    commit(folder, "Add containers")
    assert run(["docker/secrets.sh"], cwd=folder).returncode == 0
    (folder / ".env").write_text("HTTP_PORT=0\nHTTPS_PORT=0\nFLOWER_HOST_PORT=0\n")
    system = Dashboard(folder, "compose.yaml", "compose.tls.yaml")
    try:
        built = system.compose("build")
        assert built.returncode == 0, built.stderr
        system.up()
        yield system
    finally:
        system.down()
        attempt("image", "rm", "--force", SLUG, f"{SLUG}-dev")


def test_the_migration_ends_before_the_api_and_the_workers_start(system: Dashboard) -> None:
    def times(service: str, which: str) -> list[str]:
        ids = system.compose("ps", "--all", "--quiet", service).stdout.split()
        return [docker("inspect", "--format", "{{.State." + which + "}}", each).stdout.strip() for each in ids]

    [ended] = times("migrate", "FinishedAt")
    assert times("migrate", "ExitCode") == ["0"]
    started = [time for service in ("api", "worker", "beat", "flower") for time in times(service, "StartedAt")]
    assert len(started) == 3 + 2 + 1 + 1
    assert all(ended < time for time in started)


def test_the_proxy_alone_publishes_the_apis_and_reaches_each(system: Dashboard) -> None:
    assert system.addresses() == []
    with system.proxy() as client:
        hosts = {client.get("/health").json()["host"] for _ in range(60)}
        assert client.get("/ready").json() == {"ready": True}
    assert hosts == {each[:12] for each in system.containers("api")}


def test_no_password_is_in_an_inspected_container_or_an_argument_list(system: Dashboard) -> None:
    passwords = [path.read_text() for path in (system.folder / "secrets").iterdir() if path.name != ".gitignore"]
    assert len(passwords) == 3
    ids = system.compose("ps", "--all", "--quiet").stdout.split()
    seen = docker("inspect", *ids).stdout
    seen += "".join(docker("top", each).stdout for each in system.compose("ps", "--quiet").stdout.split())
    assert [each for each in passwords if each in seen] == []
    assert run(["git", "status", "--porcelain", "secrets"], cwd=system.folder).stdout == ""


def test_containers_are_not_root_and_write_into_output_folders_alone(system: Dashboard) -> None:
    refused = "id -u; touch /app/data/a /app/a 2> /dev/null; ls /app/data"
    script = f"{refused}; touch /srv/results/a /tmp/a && rm /srv/results/a"
    for service in ("api", "worker", "beat", "flower", "report"):
        done = system.compose("exec", "-T", service, "sh", "-c", script)
        assert (done.returncode, done.stdout) == (0, "1000\nelements.csv\n"), f"{service}: {done.stderr}"


def test_the_dashboard_of_the_queue_needs_its_password(system: Dashboard) -> None:
    url = f"http://{system.compose('port', 'flower', '5555').stdout.strip()}/"
    password = (system.folder / "secrets/flower_password").read_text()
    assert httpx.get(url).status_code == 401
    assert httpx.get(url, auth=("admin", password), follow_redirects=True).status_code == 200


def test_no_job_is_lost_when_a_worker_and_an_api_are_killed_under_load(system: Dashboard) -> None:
    ids = [f"job-{number}" for number in range(JOBS)]
    clients = [threading.Thread(target=system.submit_all, args=[ids[start::3]]) for start in range(3)]
    for each in clients:
        each.start()
    for service in ("worker", "api"):
        deadline, before = time.monotonic() + PATIENCE, system.counts().get("done", 0)
        while system.counts().get("done", 0) < before + 5:  # in the middle of the work
            assert time.monotonic() < deadline, system.counts()
        docker("kill", "--signal=KILL", system.containers(service)[0])
    for each in clients:
        each.join()
    system.up()
    deadline = time.monotonic() + PATIENCE
    while system.counts() != {"done": JOBS}:
        assert time.monotonic() < deadline, system.counts()
        time.sleep(0.5)
    listed = system.compose("exec", "-T", "worker", "ls", "/srv/results").stdout.split()
    assert {f"{id}.json" for id in ids} <= set(listed)


def test_a_second_beat_is_refused(system: Dashboard) -> None:
    done = system.compose("up", "--detach", "--no-build", "--no-recreate", "--scale=beat=2", "beat")
    assert done.returncode != 0
    assert len(system.containers("beat")) == 1


def test_a_scheduled_process_runs_at_its_times(system: Dashboard) -> None:
    deadline = time.monotonic() + PATIENCE
    while (done := system.compose("exec", "-T", "api", "cat", "/srv/results/report.json")).returncode != 0:
        assert time.monotonic() < deadline, system.compose("logs", "report").stdout
        time.sleep(1)
    assert set(json.loads(done.stdout)) <= {"queued", "done"}


def test_a_backup_brings_back_what_was_deleted_and_volumes_outlive_containers(system: Dashboard) -> None:
    before = system.counts()
    assert before
    dump = "pg_dump --username app --format custom app | base64"
    saved = system.compose("exec", "-T", "postgres", "sh", "-c", dump)
    assert saved.returncode == 0, saved.stderr
    system.query("DELETE FROM jobs")
    restore = "base64 -d | pg_restore --username app --dbname app --clean --if-exists --single-transaction"
    done = system.compose("exec", "-T", "postgres", "sh", "-c", restore, input=saved.stdout)
    assert done.returncode == 0, done.stderr
    assert system.counts() == before
    assert system.compose("down", "--timeout=20").returncode == 0
    system.up()
    assert system.counts() == before
    with system.proxy() as client:
        assert client.get("/counts").json() == before
