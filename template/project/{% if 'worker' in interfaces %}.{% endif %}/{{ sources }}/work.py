"""Does the jobs that the ledger gives out: how far they are, how they end, and what is tried again."""

import logging
import threading
import time
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

from pydantic import ValidationError

from . import job_metrics, kinds
from .attempts import Context, Lost, TooLong
from .ledger import LEASE, Claim, Ledger
from .predictor import InvalidInput
from .records import Predicts
from .settings import Settings
from .storage import Storage
from .tables import State

logger = logging.getLogger(__name__)


class Worker:
    """Does one job at a time."""

    def __init__(self, settings: Settings, ledger: Ledger, predictor: Callable[[], Predicts]) -> None:
        self._settings, self._ledger, self._predictor = settings, ledger, predictor
        self._storage = Storage(settings)

    def work(self, id: str | None = None) -> bool:
        """Does the job of the id, or the one that is due the longest; False where there was nothing to be had.

        Whatever the job raises is in the ledger afterwards. Raises SQLAlchemyError where that cannot be reached.
        """
        claim = self._ledger.claim(id)
        if claim is None:
            return False
        waited = datetime.now(UTC) - claim.due_at
        job_metrics.WAITED.labels(claim.kind).observe(max(0.0, waited.total_seconds()))  # clocks differ
        started = time.monotonic()
        with job_metrics.busy():
            outcome = self._attempt(claim)
        seconds = time.monotonic() - started
        job_metrics.DURATION.labels(claim.kind).observe(seconds)
        job_metrics.ATTEMPTS.labels(claim.kind, outcome).inc()
        logger.info("job %s %s after %.1f s", claim.id, outcome, seconds)
        return True

    def _attempt(self, claim: Claim) -> str:
        """One of job_metrics.OUTCOMES."""
        context = Context(claim, self._ledger, self._settings, self._storage, self._predictor)
        try:
            with _Renewal(context):
                result = kinds.run(claim.kind, claim.arguments, context)
        except Lost:
            return "lost"
        except (InvalidInput, ValidationError, TooLong) as error:  # the next attempt would end alike
            return "failed" if self._ledger.fail(claim, _line(error)) else "lost"
        except Exception as error:
            logger.exception("job %s failed, attempt %d", claim.id, claim.attempt)
            state = self._ledger.retry(claim, _line(error))
            if state is None:
                return "lost"
            return "retried" if state == State.QUEUED else "failed"
        return "succeeded" if self._ledger.succeed(claim, result) else "lost"


class _Renewal:
    """Renews the lease of a job from a thread, while the job computes and says nothing."""

    def __init__(self, context: Context) -> None:
        self._context = context
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._run, name="lease", daemon=True)

    def __enter__(self) -> None:
        self._thread.start()

    def __exit__(self, *_: object) -> None:
        self._ended.set()
        self._thread.join()

    def _run(self) -> None:
        while not self._ended.wait(LEASE.total_seconds() / 3):
            try:
                self._context.renew()
            except Exception as error:  # a database that comes back before the lease ends changes nothing
                logger.warning("a lease could not be renewed: %s", type(error).__name__)


def _line(error: Any) -> str:
    """The error on one line, as clients read it."""
    text = " ".join(str(error).split())[:500]
    expected = isinstance(error, InvalidInput | TooLong | OSError | ValidationError)
    return text if expected and text else f"{type(error).__name__}: {text}"
