"""A workspace whose containers run on a Docker engine."""

import json
import re
import ssl
from pathlib import Path
from typing import Any

import httpx

from tests.engine import attempt, docker, need_engine, outcome
from tests.stand_ins import BROWSER, FOLDER, ensure
from tests.workspace.workspace import PROJECT, Workspace, made

UNITS = {"B": 1, "KiB": 2**10, "MiB": 2**20, "GiB": 2**30}


class System(Workspace):
    """A workspace whose containers run."""

    def compose(self, *arguments: str) -> str:
        """Return what docker compose prints; it must succeed."""
        return docker("compose", "--progress=quiet", *arguments, cwd=self.root).stdout

    def add(self, name: str, preset: str, *options: str) -> None:
        """Make a service and lock it."""
        done = self.service(name, preset, *([] if preset == "frontend" else PROJECT), *options)
        assert done.returncode == 0, done.stderr
        self.succeed("lock", f"SERVICE={name}")

    def succeed(self, *arguments: str) -> str:
        """Return what make prints; it must succeed."""
        done = self.make(*arguments)
        assert done.returncode == 0, done.stdout[-4000:] + done.stderr[-4000:]
        return done.stdout

    def start(self) -> None:
        """Build services, train their models, and start everything."""
        services = self.root / "services.yml"
        # Other ports on localhost than those of a workspace that may run on this machine.
        services.write_text(re.sub(r"port: 80(\d\d)$", r"port: 180\1", services.read_text(), flags=re.MULTILINE))
        (self.root / ".env").write_text("HTTP_PORT=0\nHTTPS_PORT=0\n")
        for verb in ("secrets", "build"):
            self.succeed(verb)
        for container in self.compose("config", "--services").split():
            if container.endswith("-api"):
                self.compose("run", "--rm", "-T", "--no-deps", container, "train")
        self.succeed("up")

    def proxy(self) -> httpx.Client:
        """Return an HTTPS client of the proxy that trusts its local authority."""
        root = self.compose("exec", "-T", "proxy", "cat", "/data/caddy/pki/authorities/local/root.crt")
        port = self.compose("port", "proxy", "443").strip().rpartition(":")[2]
        trusted = ssl.create_default_context(cadata=root)
        return httpx.Client(base_url=f"https://localhost:{port}", verify=trusted, timeout=60)

    def browser(self, driver: str, *arguments: str, options: tuple[str, ...] = ()) -> dict[str, Any]:
        """Return what a browser sees that finds the proxy on localhost and below it, with a driver of tests/image."""
        proxy = self.compose("ps", "--quiet", "proxy").strip()
        mounted = f"--volume={FOLDER / driver}:/browser/{driver}:ro"
        where = (f"--network=container:{proxy}", mounted, *options)
        done = outcome(BROWSER, "node", driver, *arguments, options=where)
        assert done.returncode == 0, done.stderr
        return json.loads(done.stdout)

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
        # Development has volumes of its own.
        project = f"--filter=label=com.docker.compose.project={self.name}"
        volumes = docker("volume", "ls", "--quiet", project).stdout.split()
        if volumes:
            attempt("volume", "rm", "--force", *volumes)
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
    ensure(image)
    return System(workspace.root)
