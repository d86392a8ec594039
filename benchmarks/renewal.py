"""Latency of the API while a training beside it publishes versions that it takes, beside that of the time before.

The project of a scikit-learn recommender with scheduled training runs in containers as in production. A hundred
requests a second come in, evenly and from several connections: for a while without a training, then while the scheduler
runs one, on ratings for which it takes seconds, and until its version has answered for a second. So for several rounds.
The figure is for the median of the rounds' ratios; a request that is not answered with 200 raises an error. Needs a
Docker engine, and a network or a package cache.
"""

import http.client
import itertools
import json
import os
import random
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path

from benchmarks import report
from benchmarks.images import docker
from benchmarks.report import Row, say
from tests import releases
from tests.answers import TABLE

SLUG = "slipway-benchmark-renewal"
ANSWERS = {
    "hf_task": "custom",
    "torch_version": "none",
    "training": "scheduled",
    "project_slug": SLUG,
    "package_name": "my_project",
}
USERS, ITEMS, RATINGS = 3_000, 1_000, 400_000
CONNECTIONS, RATE = 8, 100
"""Connections, and requests a second over all of them."""

SCHEDULED = """
import sys
from datetime import datetime
from my_project.training.scheduler import run

def moments():
    print("waits", flush=True)
    for line in sys.stdin:
        yield datetime.now()
        print("waits", flush=True)

run(moments(), ["my_project", "train", "--config", "/models/training.yaml", "--force"])
"""
"""A scheduler that waits, as in production, but for a line of its input instead of a time; says when it does."""

AT_MOST = 1.5
"""p99 while a version is trained and taken, to p99 before."""


class Load:
    """Requests at an even pace, until it is told to end."""

    def __init__(self, port: int) -> None:
        self._port = port
        self._ended = threading.Event()
        self.seconds: list[tuple[float, float]] = []
        """When each request was due, and how long after that it was answered."""
        self.failures: list[str] = []
        self._threads = [threading.Thread(target=self._run, args=[number]) for number in range(CONNECTIONS)]

    def __enter__(self) -> "Load":
        for each in self._threads:
            each.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._ended.set()
        for each in self._threads:
            each.join()

    def p99(self, begin: float, end: float) -> float:
        """Milliseconds within which 99 of 100 requests of a span of time were answered."""
        taken = sorted(seconds for due, seconds in self.seconds if begin <= due < end)
        return 1000 * taken[int(0.99 * (len(taken) - 1))]

    def _run(self, number: int) -> None:
        connection = http.client.HTTPConnection("127.0.0.1", self._port, timeout=60)
        body = json.dumps({"inputs": "user-1"})
        for due in itertools.count(time.monotonic() + number / RATE, CONNECTIONS / RATE):
            if self._ended.wait(max(0.0, due - time.monotonic())):
                return
            try:
                connection.request("POST", "/predict", body, {"Content-Type": "application/json"})
                answer = connection.getresponse()
                answer.read()
                if answer.status != 200:
                    self.failures.append(str(answer.status))
            except OSError as error:
                self.failures.append(repr(error))
                connection.close()
            self.seconds.append((due, time.monotonic() - due))


def revision(port: int) -> str:
    """Return the version that answers."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=60)
    connection.request("GET", "/health")
    return json.load(connection.getresponse())["revision"]


def ratings() -> str:
    """Return a file of ratings, the same ones each time."""
    choose = random.Random(0)
    lines = (
        f"user-{choose.randrange(USERS)},item-{choose.randrange(ITEMS)},{choose.randint(1, 5)}" for _ in range(RATINGS)
    )
    return "user,item,rating\n" + "\n".join(lines) + "\n"


def measure(folder: Path, rounds: int, quiet: float) -> list[Row]:
    """Return what the rounds measured."""
    compose = ["compose", "--file", "compose.yaml"]
    docker(*compose, "run", "--rm", "-T", "api", "train", cwd=folder)
    docker(*compose, "up", "--detach", "--wait", cwd=folder)
    for name, text in (("ratings.csv", ratings()), ("training.yaml", "data: /models/ratings.csv\ncomponents: 20\n")):
        (folder / name).write_text(text)
        docker(*compose, "cp", folder / name, f"schedule:/models/{name}", cwd=folder)
    port = int(docker(*compose, "port", "api", "8000", cwd=folder).rpartition(":")[2])
    command = ["docker", *compose, "exec", "-T", "schedule", "python", "-c", SCHEDULED]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, cwd=folder) as scheduler:
        return watch(scheduler, port, rounds, quiet)


def watch(scheduler: subprocess.Popen[str], port: int, rounds: int, quiet: float) -> list[Row]:
    """Return what the rounds measured beside a waiting scheduler, which is stopped."""
    if scheduler.stdin is None or scheduler.stdout is None or not scheduler.stdout.readline():
        raise RuntimeError("the scheduler does not wait")
    ratios: list[float] = []
    before: list[float] = []
    during: list[float] = []
    parts: list[tuple[float, float]] = []
    taken: list[float] = []

    def renew() -> tuple[float, float, float]:
        """When a training began, when it ended, and when its version had answered for a second."""
        version, began = revision(port), time.monotonic()
        scheduler.stdin.write("\n")
        scheduler.stdin.flush()
        if not scheduler.stdout.readline():
            raise RuntimeError("the scheduler has ended")
        trained = time.monotonic()
        while revision(port) == version:
            time.sleep(0.1)
        time.sleep(1)
        return began, trained, time.monotonic()

    renew()  # the first of this size, whose bytecode and caches are cold
    with Load(port) as load:
        for number in range(rounds):
            quiet_from = time.monotonic()
            time.sleep(quiet)
            began, trained, ended = renew()
            before.append(load.p99(quiet_from + 1, began))
            during.append(load.p99(began, ended))
            parts.append((load.p99(began, trained), load.p99(trained, ended)))
            taken.append(ended - began - 1)
            ratios.append(during[-1] / before[-1])
            each = " and ".join(f"{part:.1f}" for part in parts[-1])
            say(f"round {number + 1}: p99 {before[-1]:.1f} ms, then {during[-1]:.1f} ms ({each}) for {taken[-1]:.1f} s")
    scheduler.stdin.close()
    if load.failures:
        raise RuntimeError(f"{len(load.failures)} of {len(load.seconds)} requests failed: {load.failures[0]}")
    return [
        Row("requests, each answered", len(load.seconds), ""),
        Row("training and taking its version, median", statistics.median(taken), "s"),
        Row("p99 before, median", statistics.median(before), "ms"),
        Row("p99 during, median", statistics.median(during), "ms"),
        Row("p99 of the training alone, median", statistics.median(part for part, _ in parts), "ms"),
        Row("p99 of taking its version alone, median", statistics.median(part for _, part in parts), "ms"),
        Row("ratio, lowest", min(ratios), "x"),
        Row("ratio, highest", max(ratios), "x"),
        Row("ratio, median", statistics.median(ratios), "x", AT_MOST),
    ]


def main() -> int:
    """Measures and reports."""
    parser = report.parser(__doc__)
    parser.add_argument("--rounds", type=int, default=7, help="trainings (7)")
    parser.add_argument("--quiet", type=float, default=15, help="seconds without one before each (15)")
    options = parser.parse_args()
    loaded = report.load()
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary, "project")
        index = os.environ.get("TORCH_INDEX") or TABLE["index"]
        template = releases.clone(Path(temporary, "template"))
        releases.copied(template, releases.NEWEST, folder, ANSWERS | {"torch_index": index})
        (folder / ".env").write_text("PORT=0\nMY_PROJECT_MODEL_POLL_SECONDS=1\n")
        say("building ...")
        docker("build", "--target=lock", f"--output={folder}", folder)
        try:
            docker("compose", "--file", "compose.yaml", "build", cwd=folder)
            rows = measure(folder, options.rounds, options.quiet)
        finally:
            docker("compose", "--file", "compose.yaml", "down", "--volumes", "--rmi=local", cwd=folder)
    return report.finish(rows, loaded, options.json)


if __name__ == "__main__":
    sys.exit(main())
