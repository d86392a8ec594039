"""Log of answered requests in the database, written in the background: no request waits for it or fails with it.

One thread writes in batches. What exceeds the memory limit while the database is unavailable is dropped and counted.
"""

import hashlib
import logging
import threading
import time
from collections import deque
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from itertools import islice
from typing import Any

from asgi_correlation_id import correlation_id
from prometheus_client import Counter
from pydantic_core import from_json
from sqlalchemy import delete, func, insert, or_, select
from sqlalchemy.exc import InterfaceError, OperationalError, SQLAlchemyError, TimeoutError

from ..base_settings import ServiceSettings
from ..db.engine import connect, reason
from ..db.models import PredictionRow
from ..inference.engine import AnsweredRequest
from .responses import encode

logger = logging.getLogger(__name__)

MAX_PENDING_BYTES = 20_000_000
"""Approximate maximum size of the entries in memory. A request that exceeds it is not recorded."""

ENTRY_BYTES = 10_000
"""Estimated size of an input with its prediction, beside the input's own text."""

BATCH_SIZE = 200
"""Maximum number of requests in a transaction."""

WRITE_SECONDS = 1.0
"""Time to collect a batch, and until a failed one is retried."""

DELETED_AT_ONCE = 10_000
"""Maximum number of rows that one transaction deletes, so that none takes long."""

CLEANUP_SECONDS = 60.0
"""Interval between deletions of rows that are too old or too many."""

MAX_TEXT_CHARACTERS = 10_000
"""Longer texts are recorded as their size and SHA-256 only, as bytes always are."""

RECORDED = Counter("predict_recorded", "Requests to record, by result: written or dropped.", ["result"])


@dataclass(frozen=True)
class PredictionEntry:
    """An answered request with its id and time."""

    request: str
    at: datetime
    answered: AnsweredRequest

    @property
    def estimated_bytes(self) -> int:
        """Estimated size in memory."""
        return sum(ENTRY_BYTES + (len(each) if isinstance(each, str | bytes) else 0) for each in self.answered.inputs)

    def row(self) -> dict[str, Any]:
        """Return the values of the row."""
        answered = self.answered
        plain = {"parameters": answered.parameters, "predictions": answered.predictions}
        return from_json(encode(plain)) | {
            "request": self.request,
            "at": self.at,
            "model": answered.model,
            "revision": answered.revision,
            "inputs": [_recorded(each) for each in answered.inputs],
            "seconds": answered.seconds,
        }


class PredictionLog:
    """A PredictionRecorder that writes to the database. It records HTTP requests only: jobs have result files."""

    def __init__(self, settings: ServiceSettings) -> None:
        """Create the log; `start` begins to write.

        Raises:
            DatabaseUnavailableError: The URL of the database is not valid.
        """
        self._database = connect(settings)
        self._max_age, self._max_rows = timedelta(days=settings.record_days), settings.record_rows
        self._pending: deque[PredictionEntry] = deque()
        self._pending_bytes = 0
        self._stopping = False
        self._failing = False
        self._changed = threading.Condition()
        self._thread = threading.Thread(target=self._run, name="prediction-log", daemon=True)

    def start(self) -> None:
        """Begin to write, in a thread."""
        self._thread.start()

    def record(self, answered: AnsweredRequest) -> None:
        """Record the current request, if there is one, and return at once."""
        if request := correlation_id.get():
            self.add(PredictionEntry(request, datetime.now(UTC), answered))

    def add(self, entry: PredictionEntry) -> None:
        """Queue an entry and return at once; drop it if the queue is full."""
        with self._changed:
            if self._pending_bytes and self._pending_bytes + entry.estimated_bytes > MAX_PENDING_BYTES:
                RECORDED.labels("dropped").inc()
                return
            self._pending.append(entry)
            self._pending_bytes += entry.estimated_bytes
            self._changed.notify()

    def stop(self) -> None:
        """Return when all entries are written or have failed to be."""
        with self._changed:
            self._stopping = True
            self._changed.notify()
        self._thread.join()
        self._database.dispose()

    def _run(self) -> None:
        cleanup_at = time.monotonic()
        while True:
            if time.monotonic() >= cleanup_at:
                self._delete_old_rows()
                cleanup_at = time.monotonic() + CLEANUP_SECONDS
            with self._changed:
                self._changed.wait_for(lambda: self._pending or self._stopping, CLEANUP_SECONDS)
                self._changed.wait_for(lambda: len(self._pending) >= BATCH_SIZE or self._stopping, WRITE_SECONDS)
                batch = list(islice(self._pending, BATCH_SIZE))
                if self._stopping and not batch:
                    return
            if batch:
                self._write(batch)

    def _write(self, batch: list[PredictionEntry]) -> bool:
        """Write a batch; keep it for a retry if the database is unavailable, except during the shutdown.

        Return whether the entry behind the batch is the next one to write.
        """
        try:
            with self._database.begin() as connection:
                connection.execute(insert(PredictionRow), [each.row() for each in batch])
        except Exception as error:
            if not self._failing:
                logger.warning("predictions cannot be recorded: %s", reason(error))
            self._failing = True
            if isinstance(error, OperationalError | InterfaceError | TimeoutError):
                with self._changed:
                    if not self._changed.wait_for(lambda: self._stopping, WRITE_SECONDS):
                        return False
                    batch = list(self._pending)
            elif len(batch) > 1:  # only what cannot be stored must be lost
                return all(self._write([each]) for each in batch)
        else:
            self._failing = False
        RECORDED.labels("dropped" if self._failing else "written").inc(len(batch))
        with self._changed:
            for each in batch:
                self._pending.popleft()
                self._pending_bytes -= each.estimated_bytes
            return not (self._failing and self._stopping)

    def _delete_old_rows(self) -> None:
        last = select(func.max(PredictionRow.id)).scalar_subquery()
        is_old = PredictionRow.at < datetime.now(UTC) - self._max_age
        is_surplus = or_(is_old, PredictionRow.id <= last - self._max_rows)
        some = select(PredictionRow.id).where(is_surplus).limit(DELETED_AT_ONCE)
        count = DELETED_AT_ONCE
        try:
            while count == DELETED_AT_ONCE and not self._stopping:
                with self._database.begin() as connection:
                    count = connection.execute(delete(PredictionRow).where(PredictionRow.id.in_(some))).rowcount
        except SQLAlchemyError as error:
            logger.warning("old predictions could not be deleted: %s", reason(error))


def _recorded(value: Any) -> Any:
    """Return an input as it is recorded: itself, or its size and hash."""
    if isinstance(value, bytes) or (isinstance(value, str) and len(value) > MAX_TEXT_CHARACTERS):
        content = value if isinstance(value, bytes) else value.encode(errors="surrogatepass")
        return {"bytes": len(content), "sha256": hashlib.sha256(content).hexdigest()}
    return from_json(encode(value))
