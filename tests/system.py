"""A platform on the real engine, run as in production: what its tests and its measurements share."""

import json
import re
import time
from collections.abc import Sequence
from pathlib import Path
from subprocess import CompletedProcess
from typing import Any

import httpx

from tests.engine import PATIENCE, attempt, docker

ENDS = ("succeeded", "failed", "cancelled")

SCAN = """
import asyncio, json, sys

async def answers(address, port):
    # True if something listens, False if nothing does, None if no packet arrives
    try:
        _, writer = await asyncio.wait_for(asyncio.open_connection(address, port), 3)
        writer.close()
        return True
    except ConnectionRefusedError:
        return False
    except (OSError, TimeoutError):
        return None

async def scan(address):
    if await answers(address, 1) is None:
        return None
    found = []
    for first in range(1, 65536, 500):
        ports = range(first, min(first + 500, 65536))
        listening = await asyncio.gather(*(answers(address, port) for port in ports))
        found += [port for port, is_open in zip(ports, listening) if is_open]
    return found

async def main():
    addresses = sys.argv[1:]
    print(json.dumps(dict(zip(addresses, await asyncio.gather(*map(scan, addresses))))))

asyncio.run(main())
"""
"""Prints the open TCP ports of each address, or null for an address that no packet reaches."""


class System:
    """The containers of a project in a folder, of its files for production."""

    def __init__(self, folder: Path, *files: str) -> None:
        self.folder = folder
        self._files = [f"--file={folder / file}" for file in files or ["compose.yaml"]]

    def compose(self, *arguments: str, **options: Any) -> CompletedProcess[str]:
        """Run docker compose; never raise for its exit code."""
        return attempt("compose", *self._files, "--progress=quiet", *arguments, cwd=self.folder, **options)

    def start(self, *arguments: str) -> None:
        """Build image and model, and start all services, or those that are named."""
        for command in (["build"], ["run", "--rm", "--no-deps", "-T", "api", "train"]):
            done = self.compose(*command)
            assert done.returncode == 0, done.stdout + done.stderr
        self.up(*arguments)

    def up(self, *arguments: str) -> None:
        """Start stopped services, and return when all are healthy."""
        deadline = time.monotonic() + PATIENCE
        while (done := self.compose("up", "--detach", "--wait", "--no-build", *arguments)).returncode != 0:
            # compose gives up on what is not well now, though it may be so a second later
            assert time.monotonic() < deadline, done.stderr + self.compose("logs", "--tail=20").stdout

    def down(self) -> None:
        """Remove everything but the image."""
        self.compose("--profile=*", "down", "--volumes", "--timeout=1")

    def containers(self, service: str) -> list[str]:
        """Those of a service that run, the oldest first."""
        return self.compose("ps", "--quiet", service).stdout.split()

    def addresses(self) -> list[str]:
        """Where the APIs are reached."""
        published = [attempt("port", each, "8000/tcp").stdout.split() for each in self.containers("api")]
        return [f"http://{each[0]}" for each in published if each]  # one may have ended meanwhile

    @property
    def client(self) -> httpx.Client:
        """A client of one of the APIs."""
        return httpx.Client(base_url=self.addresses()[0], timeout=30)

    def reached(self, network: str) -> dict[str, set[int]]:
        """Return the TCP ports of each service that a new container in a network of the project reaches.

        It tries each port of each container at its address in every network.
        """
        inspected = json.loads(docker("inspect", *self.compose("ps", "--quiet").stdout.split()).stdout)
        labels = [{k.rpartition(".")[2]: v for k, v in each["Config"]["Labels"].items()} for each in inspected]
        places = {
            where["IPAddress"]: label["service"]
            for each, label in zip(inspected, labels, strict=True)
            for where in each["NetworkSettings"]["Networks"].values()
        }
        [image] = {
            each["Config"]["Image"] for each, label in zip(inspected, labels, strict=True) if label["service"] == "api"
        }
        options = [f"--network={labels[0]['project']}_{network}", "--entrypoint=python"]
        done = docker("run", "--rm", *options, image, "-c", SCAN, *places)
        found: dict[str, set[int]] = {}
        for address, ports in json.loads(done.stdout).items():
            if ports is not None:
                found.setdefault(places[address], set()).update(ports)
        return found

    def listed(self, network: str) -> dict[str, set[int]]:
        """Return the ports of each running service that docs/before-you-expose-it.md lists for a network."""
        page = (self.folder / "docs/before-you-expose-it.md").read_text("utf-8")
        rows = re.findall(r"^\| `(\w+)` \| ([\d, ]+) \| [^|]+ \| ([^|]+) \| [^|]+ \|$", page, re.MULTILINE)
        running = {each for each, *_ in rows if self.containers(each)}
        return {
            name: {int(port) for port in ports.split(",")}
            for name, ports, networks in rows
            if name in running and network in networks.split(", ")
        }

    def put(self, name: str, content: str) -> None:
        """Write a file into the storage."""
        script = f"mkdir -p /data/files && cat > /data/files/{name}"
        done = self.compose("exec", "-T", "api", "sh", "-c", script, input=content)
        assert done.returncode == 0, done.stderr

    def lines(self, names: Sequence[str]) -> set[int]:
        """How many lines the files of the storage have."""
        done = self.compose("exec", "-T", "api", "sh", "-c", 'cd /data/files && wc -l "$@"', "sh", *names)
        assert done.returncode == 0, done.stderr
        return {int(line.split()[0]) for line in done.stdout.splitlines() if not line.endswith(" total")}

    def query(self, sql: str) -> list[list[str]]:
        """Return the rows of a PostgreSQL query."""
        done = self.compose("exec", "-T", "postgres", "psql", "--username=app", "--csv", "--tuples-only", "-c", sql)
        assert done.returncode == 0, done.stderr
        return [line.split(",") for line in done.stdout.splitlines()]

    def submit(self, key: str, order: dict[str, Any]) -> str:
        """Return the id of an accepted job; retry until it is accepted."""
        deadline = time.monotonic() + 4 * PATIENCE
        while True:
            try:
                with self.client as client:
                    answer = client.post("/jobs", json=order, headers={"Idempotency-Key": key})
                if answer.status_code == 202:
                    return str(answer.json()["id"])
            except (httpx.HTTPError, IndexError):  # a service that it depends on may be down
                pass
            assert time.monotonic() < deadline
            time.sleep(0.2)

    def served(self, version: str) -> str:
        """Return the served version, as soon as it is another one."""
        deadline = time.monotonic() + PATIENCE
        while True:
            found = str(self.client.get("/health").raise_for_status().json()["revision"])
            if found != version:
                return found
            assert time.monotonic() < deadline, self.compose("logs", "--tail=20", "schedule", "api").stdout
            time.sleep(0.5)

    def ends(self, ids: Sequence[str], patience: float = 4 * PATIENCE) -> list[dict[str, Any]]:
        """Return the jobs when all have ended."""
        deadline = time.monotonic() + patience
        jobs: dict[str, dict[str, Any]] = {}
        while True:
            try:
                with self.client as client:
                    for id in (each for each in ids if jobs.get(each, {}).get("state") not in ENDS):
                        jobs[id] = client.get(f"/jobs/{id}").raise_for_status().json()
            except (httpx.HTTPError, IndexError):
                pass
            if all(jobs.get(id, {}).get("state") in ENDS for id in ids):
                return [jobs[id] for id in ids]
            assert time.monotonic() < deadline, jobs
            time.sleep(0.2)
