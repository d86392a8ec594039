"""Run a workspace on a Docker engine: services behind the proxy, with a shared database and a shared broker."""

import re
import ssl
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from tests.engine import attempt, docker, exists, need_engine
from tests.workspace.workspace import PROJECT, Workspace, made

pytestmark = pytest.mark.image

CADDY = Path(__file__).resolve().parent.parent / "image/caddy.dockerfile"
LIMIT_BYTES = 8 * 10**9
"""Memory that ten services may take on a laptop."""
UNITS = {"B": 1, "KiB": 2**10, "MiB": 2**20, "GiB": 2**30}


class System(Workspace):
    """A workspace whose containers run."""

    def compose(self, *arguments: str) -> str:
        """Return what docker compose prints; it must succeed."""
        return docker("compose", "--progress=quiet", *arguments, cwd=self.root).stdout

    def add(self, name: str, preset: str, *options: str) -> None:
        """Make a service and lock it."""
        done = self.service(name, preset, *PROJECT, *options)
        assert done.returncode == 0, done.stderr
        done = self.make("lock", f"SERVICE={name}")
        assert done.returncode == 0, done.stderr

    def start(self) -> None:
        """Build services, train their models, and start everything."""
        services = self.root / "services.yml"
        # Other ports on localhost than those of a workspace that may run on this machine.
        services.write_text(re.sub(r"port: 80(\d\d)$", r"port: 180\1", services.read_text(), flags=re.MULTILINE))
        (self.root / ".env").write_text("HTTP_PORT=0\nHTTPS_PORT=0\n")
        for verb in ("secrets", "build"):
            done = self.make(verb)
            assert done.returncode == 0, done.stdout[-4000:] + done.stderr[-4000:]
        for folder in sorted((self.root / "services").iterdir()):
            self.compose("run", "--rm", "-T", "--no-deps", f"{folder.name}-api", "train")
        self.up()

    def up(self) -> None:
        """Start everything, and wait until it is healthy."""
        done = self.make("up")
        assert done.returncode == 0, done.stdout[-4000:] + done.stderr[-4000:]

    def proxy(self) -> httpx.Client:
        """Return an HTTPS client of the proxy that trusts its local authority."""
        root = self.compose("exec", "-T", "proxy", "cat", "/data/caddy/pki/authorities/local/root.crt")
        port = self.compose("port", "proxy", "443").strip().rpartition(":")[2]
        trusted = ssl.create_default_context(cadata=root)
        return httpx.Client(base_url=f"https://localhost:{port}", verify=trusted, timeout=60)

    def memory_bytes(self) -> int:
        """Return the memory that all containers take together."""
        names = self.compose("ps", "--quiet").split()
        lines = docker("stats", "--no-stream", "--format={{.MemUsage}}", *names).stdout.splitlines()
        used = [re.match(r"([\d.]+)([KMG]?i?B)", line) for line in lines]
        assert len(used) == len(names) and all(used), lines
        return int(sum(float(each[1]) * UNITS[each[2]] for each in used if each))

    def remove(self) -> None:
        """Remove containers, volumes and images."""
        attempt("compose", "--profile=*", "down", "--volumes", "--remove-orphans", "--timeout=1", cwd=self.root)
        found = docker("image", "ls", "--format={{.Repository}}").stdout.split()
        ours = [name for name in found if name.startswith(f"{self.name}-")]
        if ours:
            attempt("image", "rm", "--force", *ours)

    @property
    def name(self) -> str:
        """Return the name of the Compose project."""
        return self.root.name


def new(template: Path, folder: Path, name: str) -> System:
    """Return a workspace without services, and an image of the proxy."""
    need_engine()
    workspace = made(template, folder / name, {"project_slug": name})
    [image] = re.findall(r"image: (\S+)", (workspace.root / "infrastructure/proxy.yaml").read_text())
    if not exists(image):
        docker("build", f"--tag={image}", "-", input=CADDY.read_text())
    return System(workspace.root)


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
        system.up()
        with system.proxy() as client:
            assert client.get("/reader/v2/ready").status_code == 200
            assert client.get("/ocr/ready").status_code == 404
    finally:
        services.write_text(before)


def test_a_service_stops_alone(system: System) -> None:
    done = system.make("down", "SERVICE=ocr")
    assert done.returncode == 0, done.stderr
    running = system.compose("ps", "--services").split()
    assert "ocr-api" not in running and "docs-api" in running


@pytest.mark.exhaustive
def test_ten_services_run_at_once_within_eight_gigabytes(template: Path, tmp_path: Path) -> None:
    system = new(template, tmp_path, "slipway-test-ten")
    names = [f"service-{number}" for number in range(10)]
    try:
        for name in names:
            system.add(name, "custom")
        system.start()
        with system.proxy() as client:
            for name in names:
                assert client.post(f"/{name}/predict", json={"inputs": ["user-1"]}).status_code == 200
            assert system.memory_bytes() < LIMIT_BYTES
    finally:
        system.remove()
