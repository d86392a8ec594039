"""Jobs lost and jobs done twice while workers, API, Redis and PostgreSQL are killed, paused and cut off.

A platform runs in containers as in production, with two workers and jobs that come all the time. In turns something of
it is killed with SIGKILL, paused (a worker for longer than its lease, so that its job is another's when it wakes up),
restarted or cut off from the network. A job that was accepted must end as it should, once; what a client had no
answer to it asks for again, with the same key. Needs a Docker engine, and a network or a package cache.
"""

import re
import sys
import threading
import time
from collections import Counter
from datetime import datetime

import httpx

from benchmarks import report
from benchmarks.platform import running
from benchmarks.report import Row, say
from tests.engine import docker
from tests.system import System

SLUG = "slipway-benchmark-faults"
RECORDS = 5_000
"""Records of each job: enough that most faults meet one in its middle."""

WAITING = 10
"""Jobs that wait, at most, until more are asked for."""

FAULTS = [
    ("kill", "worker", 0),
    ("kill", "redis", 0),
    ("kill", "postgres", 0),
    ("kill", "api", 0),
    ("pause", "worker", 40),
    ("restart", "redis", 0),
    ("pause", "redis", 10),
    ("pause", "postgres", 10),
    ("disconnect", "worker", 10),
]
"""Each fault: its kind, the service, and its duration in seconds."""


class Load:
    """A constant load: submit jobs until it ends, so that some always wait; submit each until it is accepted."""

    def __init__(self, system: System) -> None:
        self.ids: list[str] = []
        self._system = system
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._run)
        self._failure: BaseException | None = None

    def __enter__(self) -> "Load":
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._ended.set()
        self._thread.join()
        if self._failure:
            raise self._failure

    def _run(self) -> None:
        try:
            while not self._ended.is_set():
                if self._is_enough():
                    self._ended.wait(0.5)
                    continue
                key = f"key-{len(self.ids)}"
                order = {"arguments": {"source": "inputs.txt", "target": f"out/{key}.txt"}}
                self.ids.append(self._system.submit(key, order))
        except BaseException as failure:
            self._failure = failure

    def _is_enough(self) -> bool:
        try:
            with self._system.client as client:
                waiting = client.get("/jobs", params={"state": "queued", "limit": WAITING}).raise_for_status().json()
        except (httpx.HTTPError, IndexError):  # what cannot be asked now is asked for the next job
            return False
        return len(waiting) == WAITING


def inject(system: System, what: str, service: str, seconds: float) -> None:
    """Apply the fault to a container of the service; all containers run when it returns."""
    container = system.containers(service)[0]
    if what == "kill":
        docker("kill", "--signal=KILL", container)
    elif what == "restart":
        docker("restart", container)
    elif what == "pause":
        docker("pause", container)
        time.sleep(seconds)
        docker("unpause", container)
    else:
        network = f"{SLUG}_inside"
        docker("network", "disconnect", network, container)
        time.sleep(seconds)
        docker("network", "connect", "--alias", service, network, container)
    system.up("--scale=worker=2")


def measure(system: System, rounds: int) -> list[Row]:
    """Return what the rounds measured."""
    system.put("inputs.txt", "".join(f"user-{number % 200}\n" for number in range(RECORDS)))
    system.up("--scale=worker=2")
    survived: Counter[str] = Counter()
    with Load(system) as load:
        for what, service, seconds in FAULTS * rounds:
            time.sleep(3)  # work is under way again
            inject(system, what, service, seconds)
            survived[f"{what} {service}"] += 1
            say(f"{what} {service}: {len(load.ids)} jobs were accepted so far")
    jobs = system.ends(load.ids)
    said = Counter(re.findall(r"job ([0-9a-f-]{36}) succeeded", system.compose("logs", "worker").stdout))
    lengths = system.lines([job["result"]["target"] for job in jobs if job["state"] == "succeeded"])
    [[rows]] = system.query("SELECT COUNT(*) FROM jobs")
    if lengths != {RECORDS}:
        raise RuntimeError(f"files of {RECORDS} lines have {lengths}")
    lost = [job for job in jobs if job["state"] != "succeeded"]
    for job in lost:
        say(f"lost: {job}")
    seconds = [_moment(job["finished_at"]) - _moment(job["created_at"]) for job in jobs]
    return [
        *(Row(f"faults: {name}", count, "") for name, count in survived.items()),
        Row("faults", survived.total(), ""),
        Row("jobs accepted", len(jobs), ""),
        Row("jobs that were begun more than once", sum(job["failures"] > 0 for job in jobs), ""),
        Row("longest time from taken to done", max(seconds), "s"),
        Row("jobs lost", len(lost), "", 0),
        Row("jobs done twice", sum(count > 1 for count in said.values()) + int(rows) - len(set(load.ids)), "", 0),
    ]


def _moment(text: str) -> float:
    return datetime.fromisoformat(text).timestamp()


def main() -> int:
    """Measures and reports."""
    parser = report.parser(__doc__)
    parser.add_argument("--rounds", type=int, default=3, help=f"times {len(FAULTS)} faults (3)")
    options = parser.parse_args()
    loaded = report.load()
    with running(SLUG) as system:
        rows = measure(system, options.rounds)
    return report.finish(rows, loaded, options.json)


if __name__ == "__main__":
    sys.exit(main())
