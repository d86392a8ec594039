"""Runs single jobs: claims one, renews its lease, and records how it ends."""

import logging
import threading
import time
from collections.abc import Callable
from datetime import UTC, datetime
from typing import TypeVar

from pydantic import ValidationError
from sqlalchemy.exc import InterfaceError, OperationalError, TimeoutError

from ..base_settings import ServiceSettings
from ..batch.predict import SupportsPredict
from ..db.models import JobState
from ..errors import InvalidInputError, without_paths
from ..storage import Storage
from . import metrics
from .context import JobContext, JobLostError, JobTimeoutError
from .files import OwnedFiles
from .owner import Owner
from .store import LEASE_DURATION, JobLease, JobStore
from .types import JobResultError, JobTypes

logger = logging.getLogger(__name__)

T = TypeVar("T")

RECORD_RETRY_SECONDS = 1.0
"""Delay before the end of a job is recorded again after the database has failed, in seconds."""

MAX_ERROR_LENGTH = 500
"""Maximum length of the error that a client reads, in characters."""


class Worker:
    """Runs one job at a time."""

    def __init__(
        self,
        settings: ServiceSettings,
        store: JobStore,
        job_types: JobTypes,
        load_model: Callable[[], SupportsPredict],
    ) -> None:
        """Create a worker. `load_model` is called for every job that predicts."""
        self.store, self.job_types = store, job_types
        self._settings, self._load_model = settings, load_model
        self._storage = Storage(settings)

    def run_one(self, id: str | None = None) -> bool:
        """Run the job with the id, or the one that is due the longest. Return whether there was one.

        An exception of the job is recorded in the database.

        Raises:
            SQLAlchemyError: The database cannot be reached.
        """
        lease = self.store.claim(id)
        if lease is None:
            return False
        waited = datetime.now(UTC) - lease.due_at
        metrics.WAITED.labels(lease.kind).observe(max(0.0, waited.total_seconds()))  # clocks differ
        started = time.monotonic()
        with metrics.busy():
            outcome = self._attempt(lease)
        seconds = time.monotonic() - started
        metrics.DURATION.labels(lease.kind).observe(seconds)
        metrics.ATTEMPTS.labels(lease.kind, outcome).inc()
        logger.info("job %s of %s %s after %.1f s", lease.id, lease.owner, outcome, seconds)
        return True

    def _attempt(self, lease: JobLease) -> str:
        """Run the job and return one of metrics.OUTCOMES."""
        owner = Owner(lease.owner, lease.is_admin)
        files = OwnedFiles(self._storage, self.store.database, owner, self._settings.quota_file_bytes)
        context = JobContext(lease, self.store, self._settings, files, self._load_model)
        try:
            with _LeaseRenewal(context):
                result = self.job_types.run(lease.kind, lease.arguments, context)
        except JobLostError:
            return "lost"
        except (InvalidInputError, ValidationError, JobTimeoutError, JobResultError) as error:  # so would any attempt
            message = _error_line(error)
            return "failed" if self._record(lambda: self.store.fail(lease, message)) else "lost"
        except Exception as error:
            logger.exception("job %s failed, attempt %d", lease.id, lease.attempt)
            message = _error_line(error)
            state = self._record(lambda: self.store.retry(lease, message))
            if state is None:
                return "lost"
            return "retried" if state == JobState.QUEUED else "failed"
        return "succeeded" if self._record(lambda: self.store.succeed(lease, result)) else "lost"

    def _record(self, change: Callable[[], T]) -> T:
        """Record how a job has ended. Try again while the database is away, until the lease has expired.

        Otherwise a database that is locked or restarts for a moment would cost the job another attempt.
        """
        deadline = time.monotonic() + LEASE_DURATION.total_seconds()
        while True:
            try:
                return change()
            except (OperationalError, InterfaceError, TimeoutError) as error:
                if time.monotonic() > deadline:
                    raise
                logger.warning("the end of a job cannot be recorded yet: %s", type(error).__name__)
                time.sleep(RECORD_RETRY_SECONDS)


class _LeaseRenewal:
    """Renews the lease of a job from a thread, also while the job reports no progress."""

    def __init__(self, context: JobContext) -> None:
        self._context = context
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._run, name="lease", daemon=True)

    def __enter__(self) -> None:
        self._thread.start()

    def __exit__(self, *_: object) -> None:
        self._ended.set()
        self._thread.join()

    def _run(self) -> None:
        while not self._ended.wait(LEASE_DURATION.total_seconds() / 3):
            try:
                self._context.renew()
            except Exception as error:  # harmless if the database is back before the lease expires
                logger.warning("a lease could not be renewed: %s", type(error).__name__)


def _error_line(error: Exception) -> str:
    """Return the error on one line, as clients read it."""
    text = " ".join(str(error).split())
    if not isinstance(error, InvalidInputError | ValidationError):  # these are about what the client has sent
        text = without_paths(text)
    text = text[:MAX_ERROR_LENGTH]
    is_expected = isinstance(error, InvalidInputError | JobTimeoutError | JobResultError | OSError | ValidationError)
    return text if is_expected and text else f"{type(error).__name__}: {text}"
