"""Another client of a server that is attacked: what the attack costs it, and how much memory it takes."""

import json
import os
import statistics
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tests.installed import Server

MAX_MEMORY_BYTES = 300_000_000
"""Most that an attack may add to the memory of a server at rest."""

MAX_SLOWDOWN = 2.0
"""Most times the quiet time of another client, at its 99th percentile."""

NOISE_SECONDS = 1.0
"""A slower answer than this, however quiet the server was: attacker, neighbour and server share the cores of a test."""

FIGURES = "ATTACK_FIGURES"
"""Environment variable with the file that the figures of each attack are written to."""


@dataclass
class Watch:
    """What the neighbour saw, and what the server took."""

    seconds: list[float] = field(default_factory=list)
    """Time of each answer."""
    failures: list[str] = field(default_factory=list)
    """What was answered instead of status 200."""
    memory_bytes: int = 0
    """Peak of the server's memory above that at rest."""

    @property
    def p99(self) -> float:
        """99th percentile of the times, in seconds."""
        return statistics.quantiles(self.seconds, n=100)[98]


class Neighbour:
    """A client that sends one small request after the other, each over a connection of its own."""

    def __init__(self, server: Server, body: Any, key: str = "") -> None:
        """Send this body to `/predict`, with an API key if there is one, and learn the server's quiet time."""
        self._server = server
        headers = {"Content-Type": "application/json"} | ({"Authorization": f"Bearer {key}"} if key else {})
        self._request = json.dumps({"address": server.url, "body": json.dumps(body), "headers": headers})
        with self.watching() as self.quiet:
            pass
        assert not self.quiet.failures, self.quiet.failures[:3]

    @contextmanager
    def watching(self) -> Iterator[Watch]:
        """Send requests while the block runs, and enough of them; the watch is complete when the block has ended."""
        watch = Watch()
        command = [sys.executable, Path(__file__).with_name("client.py")]
        with peak_memory(self._server.process.pid, watch):
            client = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
            assert client.stdin and client.stdout
            client.stdin.write(f"{self._request}\n")
            client.stdin.flush()
            client.stdout.readline()  # requests begin
            try:
                yield watch
            finally:
                seen = json.loads(client.communicate()[0])
                watch.seconds, watch.failures = seen["seconds"], seen["failures"]

    def beside(self, attack: Callable[[], object]) -> Watch:
        """Return what an attack costs, after asserting that it stays below the bounds of this module."""
        with self.watching() as watch:
            attack()
        self._note(watch)
        assert not watch.failures, watch.failures[:3]
        assert watch.p99 <= max(MAX_SLOWDOWN * self.quiet.p99, NOISE_SECONDS), f"{watch.p99:.3f} s"
        assert watch.memory_bytes <= MAX_MEMORY_BYTES, f"{watch.memory_bytes / 1e6:.0f} MB"
        return watch

    def _note(self, watch: Watch) -> None:
        """Append the figures of a test to the file that FIGURES names, for `benchmarks.attacks`."""
        if FIGURES not in os.environ:
            return
        test = os.environ["PYTEST_CURRENT_TEST"].partition("::")[2].partition(" (")[0]
        figures = {"test": test, "quiet": self.quiet.p99, "attacked": watch.p99, "bytes": watch.memory_bytes}
        with Path(os.environ[FIGURES]).open("a", encoding="utf-8") as file:
            file.write(f"{json.dumps(figures)}\n")


@contextmanager
def peak_memory(process: int, watch: Watch) -> Iterator[None]:
    """Record in the watch how far the memory of a process rose above that before the block, in bytes."""
    rest = memory(process, "VmRSS")
    Path(f"/proc/{process}/clear_refs").write_text("5")  # sets VmHWM to the memory of now
    yield
    watch.memory_bytes = memory(process, "VmHWM") - rest


def memory(process: int, name: str) -> int:
    """Return a figure of /proc/PROCESS/status in bytes: VmRSS is the memory now, VmHWM its peak."""
    lines = Path(f"/proc/{process}/status").read_text().splitlines()
    return next(int(line.split()[1]) * 1024 for line in lines if line.startswith(f"{name}:"))


def descriptors(process: int) -> int:
    """Return how many files and connections a process has open."""
    return len(list(Path(f"/proc/{process}/fd").iterdir()))
