"""One attempt at a job: what it works with, and how it says how far it is."""

import threading
import time
from collections.abc import Callable
from functools import cached_property

from .ledger import Claim, Ledger
from .records import Predicts
from .settings import Settings
from .storage import Storage

TELL = 1.0
"""Seconds between two words about the progress of a job, at least."""


class Lost(Exception):
    """The job was cancelled, or is somebody else's by now."""


class TooLong(Exception):
    """The job takes longer than any may."""


class Context:
    """What a job works with."""

    def __init__(
        self, claim: Claim, ledger: Ledger, settings: Settings, storage: Storage, predictor: Callable[[], Predicts]
    ) -> None:
        self.id, self.settings, self.storage = claim.id, settings, storage
        self._claim, self._ledger, self._predictor = claim, ledger, predictor
        self._done: int = 0
        self._total: int | None = None
        self._began = self._told = time.monotonic()
        self._lost = threading.Event()

    @cached_property
    def predictor(self) -> Predicts:
        """What computes predictions; loaded when first needed, and the same to the end. Raises ModelUnavailable."""
        return self._predictor()

    def progress(self, done: int, total: int | None = None) -> None:
        """Says how far the job is: call it every few seconds. Raises Lost and TooLong, which end the job."""
        self._done, self._total = done, total
        now = time.monotonic()
        if now - self._began > self.settings.job_seconds:
            raise TooLong(f"it took longer than {self.settings.job_seconds:g} s")
        if done == total or now - self._told > TELL:
            self.renew()
        if self._lost.is_set():
            raise Lost

    def renew(self) -> None:
        """Holds the job for another lease."""
        self._told = time.monotonic()
        if not self._ledger.renew(self._claim, self._done, self._total):
            self._lost.set()
