"""Workers without a broker: a thread that polls the database, beside the API or in a process of its own."""

import logging
import signal
import threading
from collections.abc import Callable

from sqlalchemy.exc import SQLAlchemyError

from ..base_settings import ServiceSettings
from ..batch.predict import SupportsPredict
from ..db import migrate
from ..db.engine import DatabaseUnavailableError, connect
from . import metrics
from .store import JobStore
from .types import JobTypes
from .worker import Worker

logger = logging.getLogger(__name__)

POLL_SECONDS = 1.0
"""Interval between two queries for due jobs and expired leases, in seconds."""


class LocalWorker:
    """Runs jobs on a thread."""

    def __init__(self, worker: Worker) -> None:
        """Take the worker that runs single jobs."""
        self._worker, self._store = worker, worker.store
        self._wake = threading.Event()
        self._stopping = False
        self._problem = ""
        self._thread = threading.Thread(target=self.run, name="jobs", daemon=True)

    def start(self) -> None:
        """Start the thread."""
        metrics.start_process(self._worker.job_types)
        self._thread.start()

    def wake(self) -> None:
        """Query for due jobs now."""
        self._wake.set()

    def stop(self) -> None:
        """Release the running job, and return when the thread has ended."""
        self._stopping = True
        self.wake()
        try:
            self._store.release()
        except SQLAlchemyError as error:  # the job is queued again when its lease expires
            logger.warning("a job could not be released: %s", type(error).__name__)
        if self._thread.is_alive():
            self._thread.join()

    def run(self) -> None:
        """Run due jobs until another thread calls `stop`."""
        while not self._stopping:
            try:
                metrics.WORKERS_LOST.inc(self._store.requeue_expired())
                while not self._stopping and self._worker.run_one():
                    pass
                self._problem = ""
            except SQLAlchemyError as error:
                if self._problem != type(error).__name__:  # not each second, while it stays
                    self._problem = type(error).__name__
                    logger.warning("querying for jobs failed: %s", self._problem)
            except Exception:  # a thread that ends would leave every job queued
                logger.exception("running a job failed")
            self._wake.wait(POLL_SECONDS)
            self._wake.clear()


def run_worker(settings: ServiceSettings, job_types: JobTypes, load_model: Callable[[], SupportsPredict]) -> None:
    """Run the jobs of the database in this process until SIGTERM or Ctrl-C.

    Raises:
        DatabaseUnavailableError: The database cannot be reached, or its schema is out of date.
    """
    database = connect(settings)
    if problem := migrate.problem(database, allow_newer=True):
        raise DatabaseUnavailableError(problem)
    ended = threading.Event()
    for each in (signal.SIGTERM, signal.SIGINT):
        signal.signal(each, lambda *_: ended.set())
    store = JobStore(database, settings.job_attempts)
    worker = LocalWorker(Worker(settings, store, job_types, load_model))
    worker.start()
    ended.wait()
    worker.stop()
