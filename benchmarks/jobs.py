"""Jobs a second of one, two and three workers, beside the same work without a queue, and what the queue costs a job.

A platform of the scikit-learn recommender runs in containers as in production. First one job at a time is taken while a
worker is idle: the ledger says when it was taken, begun and ended. Then many wait before the workers start; what counts
is the time in which all of them are at work. Each is measured with a job that does nothing and with one that predicts
from a file. The ceiling is the same prediction, again and again, by processes that know of no queue. Needs a Docker
engine, and a network or a package cache; takes minutes.
"""

import statistics
import sys
import time
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor

import httpx

from benchmarks import report
from benchmarks.platform import running
from benchmarks.report import Row, say
from tests.system import System

SLUG = "slipway-benchmark-jobs"
NOTHING = {"kind": "nothing"}
PREDICT = {"arguments": {"source": "inputs.txt"}}
RECORDS = 2_000
"""Records of the file that a job predicts from."""

WORKERS = (1, 2, 3)
CLIENTS = 4
"""Connections that submit at once."""

AT_MOST = 10
"""Milliseconds that the queue may cost a job."""

LOOP = """
import itertools, sys, time
from datetime import UTC, datetime
from my_project import components
from my_project.jobs.context import JobContext
from my_project.jobs.store import JobLease
from my_project.storage import Storage

class NoStore:
    renew = staticmethod(lambda *_: True)

settings = components.get_settings()
job_types, model = components.job_types(), components.load_model(settings)
lease = JobLease(f"ceiling-{sys.argv[1]}", 1, "predict", {"source": "inputs.txt"}, datetime.now(UTC))

def work():
    context = JobContext(lease, NoStore(), settings, Storage(settings), lambda: model)
    job_types.run(lease.kind, lease.arguments, context)

work()
time.sleep(max(0.0, float(sys.argv[2]) - time.time()))
began = time.monotonic()
for count in itertools.count(1):
    work()
    if (seconds := time.monotonic() - began) > float(sys.argv[3]):
        print(count / seconds)
        break
"""


def submit(system: System, order: Mapping[str, object], count: int) -> float:
    """Submit jobs from several connections; return how many were accepted per second."""
    address = system.addresses()[0]

    def some(number: int) -> None:
        with httpx.Client(base_url=address, timeout=60) as client:
            for _ in range(number):
                client.post("/jobs", json=order).raise_for_status()

    began = time.monotonic()
    with ThreadPoolExecutor(CLIENTS) as pool:
        list(pool.map(some, [count // CLIENTS] * CLIENTS))
    return count / (time.monotonic() - began)


def wait_until_done(system: System) -> None:
    """Wait until no job is open."""
    with system.client as client:
        while any(client.get("/jobs", params={"state": each, "limit": 1}).json() for each in ("queued", "running")):
            time.sleep(0.5)


def idle(system: System, count: int) -> tuple[list[float], list[float]]:
    """Milliseconds from taking a job to its beginning and to its end, one by one, of a worker that waits for each."""
    with system.client as client:
        for _ in range(count + 10):
            client.post("/jobs", json=NOTHING).raise_for_status()
            time.sleep(0.1)
    wait_until_done(system)
    sql = f"""SELECT EXTRACT(EPOCH FROM started_at - created_at), EXTRACT(EPOCH FROM finished_at - created_at)
        FROM jobs ORDER BY created_at DESC LIMIT {count}"""
    rows = [(1000 * float(begun), 1000 * float(ended)) for begun, ended in system.query(sql)]
    return [begun for begun, _ in rows], [ended for _, ended in rows]


def drained(system: System, order: Mapping[str, object], count: int, workers: int) -> tuple[float, float]:
    """How many jobs were taken a second with no worker there, and then done a second by as many workers.

    Only the time counts in which each worker has done its first job and none has done its last.
    """
    system.up("--scale=worker=0")
    [[before]] = system.query("SELECT NOW()")
    taken = submit(system, order, count)
    system.up(f"--scale=worker={workers}")
    wait_until_done(system)
    [row] = system.query(f"""WITH
        done AS (SELECT worker, finished_at FROM jobs WHERE created_at > '{before}' AND state = 'succeeded'),
        spans AS (SELECT MIN(finished_at) AS first, MAX(finished_at) AS last FROM done GROUP BY worker),
        span AS (SELECT MAX(first) AS began, MIN(last) AS ended, COUNT(*) AS workers FROM spans)
        SELECT (SELECT COUNT(*) FROM done WHERE finished_at > began AND finished_at <= ended)
        / EXTRACT(EPOCH FROM ended - began), workers, (SELECT COUNT(*) FROM done) FROM span""")
    rate, worked, succeeded = map(float, row)
    if (worked, succeeded) != (workers, count):
        raise RuntimeError(f"{worked:g} of {workers} workers did {succeeded:g} of {count} jobs")
    return taken, rate


def ceiling(system: System, processes: int, seconds: float) -> float:
    """Jobs a second of processes that do them in a loop, without a queue."""

    def loop(number: int) -> float:
        arguments = [str(number), str(time.time() + 10), str(seconds)]
        done = system.compose("exec", "-T", "api", "python", "-c", LOOP, *arguments)
        if done.returncode:
            raise RuntimeError(done.stderr)
        return float(done.stdout)

    with ThreadPoolExecutor(processes) as pool:
        return sum(pool.map(loop, range(processes)))


def measure(system: System, rounds: int, nothing: int, predict: int, seconds: float) -> list[Row]:
    """Return the medians of the rounds, which measure everything in turns."""
    system.put("inputs.txt", "".join(f"user-{number % 200}\n" for number in range(RECORDS)))
    begun: list[float] = []
    ended: list[float] = []
    found: dict[str, list[float]] = {}

    def note(name: str, value: float) -> None:
        found.setdefault(name, []).append(value)
        say(f"{name}: {value:.2f}")

    for number in range(rounds):
        say(f"round {number + 1} of {rounds}")
        one, other = idle(system, 100)
        begun, ended = begun + one, ended + other
        say(f"idle: begun after {statistics.median(one):.1f} ms, ended after {statistics.median(other):.1f} ms")
        for processes in (1, 2):
            note(f"no queue, processes: {processes}", ceiling(system, processes, seconds))
        for workers in WORKERS:
            taken, rate = drained(system, NOTHING, nothing, workers)
            note("taken", taken)
            note(f"nothing, workers: {workers}", rate)
            note(f"predictions, workers: {workers}", drained(system, PREDICT, predict, workers)[1])
        system.up("--scale=worker=1")
    median = {name: statistics.median(values) for name, values in found.items()}
    most, never_idle = median["no queue, processes: 2"], 1000 / median["nothing, workers: 1"]
    return [
        Row("idle, taken to begun, median", statistics.median(begun), "ms"),
        Row("idle, taken to ended, median", statistics.median(ended), "ms", AT_MOST),
        Row("idle, taken to ended, 95 of 100", _percentile(ended, 0.95), "ms"),
        Row("never idle, one worker, a job that does nothing", never_idle, "ms", AT_MOST),
        *(Row(name, value, "jobs/s") for name, value in sorted(median.items())),
        *(Row(f"ceiling, workers: {each}", median[f"predictions, workers: {each}"] / most, "x") for each in WORKERS),
    ]


def _percentile(values: Sequence[float], part: float) -> float:
    return sorted(values)[int(part * (len(values) - 1))]


def main() -> int:
    """Measures and reports."""
    parser = report.parser(__doc__)
    parser.add_argument("--rounds", type=int, default=3, help="how often everything is measured (3)")
    parser.add_argument("--nothing", type=int, default=1_000, help="jobs that do nothing, in each cell (1000)")
    parser.add_argument("--predict", type=int, default=100, help="jobs that predict, in each cell (100)")
    parser.add_argument("--seconds", type=float, default=10, help="of each ceiling (10)")
    options = parser.parse_args()
    loaded = report.load()
    with running(SLUG) as system:
        rows = measure(system, options.rounds, options.nothing, options.predict, options.seconds)
    return report.finish(rows, loaded, options.json)


if __name__ == "__main__":
    sys.exit(main())
