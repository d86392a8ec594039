"""Prometheus metrics of jobs: attempts, exported by the worker, and the backlog, exported by the API."""

import time
from collections.abc import Callable, Generator, Iterable
from contextlib import contextmanager

from prometheus_client import Counter, Gauge, Histogram, Metric
from prometheus_client.core import GaugeMetricFamily
from prometheus_client.registry import Collector
from sqlalchemy.exc import SQLAlchemyError

from .store import JobStore

BUCKETS_SECONDS = [0.1, 0.5, 1, 5, 15, 60, 300, 900, 3600]

OUTCOMES = ("succeeded", "failed", "retried", "lost")
"""Outcomes of an attempt; a lost one was cancelled, or another worker has its job."""

ATTEMPTS = Counter("job_attempts", "Attempts at jobs, by outcome.", ["kind", "outcome"])
DURATION = Histogram("job_attempt_seconds", "Duration of an attempt.", ["kind"], buckets=BUCKETS_SECONDS)
WAITED = Histogram(
    "job_wait_seconds", "Time from when a job is due until it starts.", ["kind"], buckets=BUCKETS_SECONDS
)
WORKERS_LOST = Counter("job_workers_lost", "Jobs whose worker died while it ran them.")
PROCESSES = Gauge("worker_processes", "Processes that run jobs.", multiprocess_mode="livesum")
BUSY = Gauge("worker_busy_processes", "Processes that are running a job.", multiprocess_mode="livesum")

CACHE_TTL_SECONDS = 5.0
"""Time for which the backlog is cached, in seconds, however many clients scrape it."""


def start_process(kinds: Iterable[str]) -> None:
    """Count this process as a worker, and create the metrics of these kinds with the value 0."""
    PROCESSES.set(1)
    BUSY.set(0)  # this process may replace one that was killed while it was busy
    for kind in kinds:
        DURATION.labels(kind)
        WAITED.labels(kind)
        for outcome in OUTCOMES:
            ATTEMPTS.labels(kind, outcome)


@contextmanager
def busy() -> Generator[None]:
    """Count this process as busy while the block runs."""
    BUSY.set(1)
    try:
        yield
    finally:
        BUSY.set(0)


class JobBacklog(Collector):
    """Number of jobs by state, and of queued ones by owner; no metrics while the database cannot be reached.

    Every replica of the API exports the same values: aggregate them with max, not with sum.
    """

    def __init__(self, store: JobStore) -> None:
        """Count the jobs of this store."""
        self._store = store
        self._cached: tuple[float, list[Metric]] = (-CACHE_TTL_SECONDS, [])

    def collect(self) -> Iterable[Metric]:
        """Return the gauges."""
        queried, found = self._cached
        if time.monotonic() - queried >= CACHE_TTL_SECONDS:
            found = self._query()
            self._cached = (time.monotonic(), found)
        return found

    def _query(self) -> list[Metric]:
        try:
            counts, oldest = self._store.counts(), self._store.oldest_wait()
            by_owner = self._store.waiting_by_owner()
        except SQLAlchemyError:  # /ready reports it
            return []
        jobs = GaugeMetricFamily("jobs", "Jobs in the database, by state.", labels=["state"])
        for state, count in counts.items():
            jobs.add_metric([state], count)
        waiting = GaugeMetricFamily("jobs_waiting", "Queued jobs, by owner: the name of an API key.", labels=["owner"])
        for owner, count in by_owner.items():
            waiting.add_metric([owner], count)
        wait = GaugeMetricFamily("jobs_oldest_wait_seconds", "How long the oldest due job has waited.")
        wait.add_metric([], oldest.total_seconds())
        return [jobs, waiting, wait]


class StorageState(Collector):
    """Whether the storage takes files: 0 while its disk is full or read-only."""

    def __init__(self, is_writable: Callable[[], bool]) -> None:
        """Ask this function, which may block."""
        self._is_writable = is_writable

    def collect(self) -> Iterable[Metric]:
        """Return the gauge."""
        return [GaugeMetricFamily("storage_writable", "Whether the storage takes files.", self._is_writable())]
