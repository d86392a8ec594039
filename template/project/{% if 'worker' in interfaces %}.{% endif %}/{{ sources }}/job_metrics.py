"""What Prometheus reads about jobs: attempts, where they are made, and how many jobs wait, where the API answers."""

import time
from collections.abc import Generator, Iterable
from contextlib import contextmanager

from prometheus_client import Counter, Gauge, Histogram, Metric
from prometheus_client.core import GaugeMetricFamily
from prometheus_client.registry import Collector
from sqlalchemy.exc import SQLAlchemyError

from .ledger import Ledger

SECONDS = [0.1, 0.5, 1, 5, 15, 60, 300, 900, 3600]

OUTCOMES = ("succeeded", "failed", "retried", "lost")
"""How an attempt ends: the last but one is made again, the last was somebody else's, or cancelled."""

ATTEMPTS = Counter("job_attempts", "Attempts at jobs, by how they ended.", ["kind", "outcome"])
DURATION = Histogram("job_attempt_seconds", "Time of an attempt.", ["kind"], buckets=SECONDS)
WAITED = Histogram("job_wait_seconds", "Time from when a job was due until it is begun.", ["kind"], buckets=SECONDS)
WORKERS_LOST = Counter("job_workers_lost", "Jobs whose worker did not live to end them.")
PROCESSES = Gauge("worker_processes", "Processes that do jobs.", multiprocess_mode="livesum")
BUSY = Gauge("worker_busy_processes", "Processes that are doing one.", multiprocess_mode="livesum")

FRESH = 5.0
"""Seconds for which the ledger is not asked again, whoever reads."""


def begin(kinds: Iterable[str]) -> None:
    """This process does jobs of these kinds from now on; what it will count begins at 0."""
    PROCESSES.set(1)
    BUSY.set(0)  # a process that was killed in this one's place was busy
    for kind in kinds:
        DURATION.labels(kind)
        WAITED.labels(kind)
        for outcome in OUTCOMES:
            ATTEMPTS.labels(kind, outcome)


@contextmanager
def busy() -> Generator[None]:
    """While the block runs, this process is doing a job."""
    BUSY.set(1)
    try:
        yield
    finally:
        BUSY.set(0)


class Backlog(Collector):
    """The jobs of the ledger by state; none where it cannot be reached.

    Every API that has the ledger tells the same of it: take the maximum over them, not the sum.
    """

    def __init__(self, ledger: Ledger) -> None:
        self._ledger = ledger
        self._told: tuple[float, list[Metric]] = (-FRESH, [])

    def collect(self) -> Iterable[Metric]:
        """The gauges."""
        asked, told = self._told
        if time.monotonic() - asked >= FRESH:
            told = self._ask()
            self._told = (time.monotonic(), told)
        return told

    def _ask(self) -> list[Metric]:
        try:
            counts, oldest = self._ledger.counts(), self._ledger.oldest_wait()
        except SQLAlchemyError:  # /ready says so
            return []
        jobs = GaugeMetricFamily("jobs", "Jobs of the ledger, by state.", labels=["state"])
        for state, count in counts.items():
            jobs.add_metric([state], count)
        wait = GaugeMetricFamily("jobs_oldest_wait_seconds", "For how long a due job has waited, at most.")
        wait.add_metric([], oldest.total_seconds())
        return [jobs, wait]
