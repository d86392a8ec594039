"""The context of one attempt at a job: its model, its files and its progress."""

import threading
import time
from collections.abc import Callable
from functools import cached_property

from ..base_settings import ServiceSettings
from ..batch.predict import SupportsPredict
from ..storage import Storage
from .files import OwnedFiles
from .store import JobLease, JobStore

PROGRESS_SECONDS = 1.0
"""Minimum interval between two writes of the progress to the database, in seconds."""


class JobLostError(Exception):
    """The job was cancelled, or its lease expired and another worker may have it."""


class JobTimeoutError(Exception):
    """The job runs longer than `job_timeout_seconds`."""


class JobContext:
    """The services that a running job may use."""

    def __init__(
        self,
        lease: JobLease,
        store: JobStore,
        settings: ServiceSettings,
        storage: Storage | OwnedFiles,
        load_model: Callable[[], SupportsPredict],
    ) -> None:
        """Create the context of a claimed job.

        Args:
            lease: The job.
            store: Where it is stored.
            settings: The settings.
            storage: The files that its owner may use.
            load_model: Called when the job first uses the model.
        """
        self.id, self.settings, self.storage = lease.id, settings, storage
        self._lease, self._store, self._load_model = lease, store, load_model
        self._done: int = 0
        self._total: int | None = None
        self._started = self._reported = time.monotonic()
        self._lost = threading.Event()

    @cached_property
    def model(self) -> SupportsPredict:
        """The model, loaded on first use and the same until the job ends. Raises ModelUnavailableError."""
        return self._load_model()

    def progress(self, done: int, total: int | None = None) -> None:
        """Report the progress. Call it every few seconds, so that a job can be cancelled and can time out.

        Raises:
            JobLostError: The job was cancelled or lost; end without writing a result.
            JobTimeoutError: The job has run too long.
        """
        self._done, self._total = done, total
        now = time.monotonic()
        if now - self._started > self.settings.job_timeout_seconds:
            raise JobTimeoutError(f"it took longer than {self.settings.job_timeout_seconds:g} s")
        if done == total or now - self._reported > PROGRESS_SECONDS:
            self.renew()
        if self._lost.is_set():
            raise JobLostError

    def renew(self) -> None:
        """Extend the lease of the job."""
        self._reported = time.monotonic()
        if not self._store.renew(self._lease, self._done, self._total):
            self._lost.set()
