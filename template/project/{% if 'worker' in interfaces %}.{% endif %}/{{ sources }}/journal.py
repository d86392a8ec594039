"""What the API has answered, written down behind the answers: no request waits for the database, or fails by it.

One thread writes it, in bundles. What it has no room for while the database is away is dropped, and counted.
"""

import hashlib
import logging
import threading
import time
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from itertools import islice
from typing import Any

from asgi_correlation_id import correlation_id
from prometheus_client import Counter
from pydantic_core import from_json
from sqlalchemy import delete, func, insert, or_, select
from sqlalchemy.exc import InterfaceError, OperationalError, SQLAlchemyError, TimeoutError

from .database import connect, reason
from .engine import Engine
from .responses import encode
from .settings import Settings
from .tables import Served
from .task import Input, Parameters, Prediction

logger = logging.getLogger(__name__)

ROOM = 20_000_000
"""Bytes that wait to be written, at most and about; a request for which there is no room is not recorded."""

WEIGHT = 10_000
"""Bytes that an input counts with its prediction, beside its own."""

BUNDLE = 200
"""Requests that are written in one transaction, at most."""

PAUSE = 1.0
"""Seconds in which a bundle comes together, and after which one that could not be written is tried again."""

TIDY = 60.0
"""Seconds between two looks for rows that are too old, or too many."""

LARGE = 10_000
"""Characters beyond which a text is recorded by its size and SHA-256 alone, as bytes always are."""

RECORDED = Counter("predict_recorded", "Requests that were to be recorded: written or dropped.", ["result"])


@dataclass(frozen=True)
class Note:
    """A request that was answered."""

    request: str
    at: datetime
    model: str
    revision: str | None
    inputs: Sequence[Input]
    parameters: Parameters
    predictions: Sequence[Prediction]
    seconds: float

    @property
    def weight(self) -> int:
        """Bytes that it counts while it waits."""
        return sum(WEIGHT + (len(each) if isinstance(each, str | bytes) else 0) for each in self.inputs)

    def row(self) -> dict[str, Any]:
        """What is written of it."""
        plain: dict[str, Any] = from_json(encode({"parameters": self.parameters, "predictions": self.predictions}))
        inputs = [_recorded(each) for each in self.inputs]
        beside = {name: getattr(self, name) for name in ("request", "at", "model", "revision", "seconds")}
        return {**plain, "inputs": inputs, **beside}


class Journal:
    """Notes that wait for the thread which writes them."""

    def __init__(self, settings: Settings) -> None:
        """Raises DatabaseUnavailable where the address of the database is none."""
        self._database = connect(settings)
        self._kept_for, self._kept = timedelta(days=settings.record_days), settings.record_rows
        self._waiting: deque[Note] = deque()
        self._held = 0
        self._stopping = False
        self._failing = False
        self._changed = threading.Condition()
        self._thread = threading.Thread(target=self._run, name="journal", daemon=True)

    def start(self) -> None:
        """Begins to write, on a thread."""
        self._thread.start()

    def add(self, note: Note) -> None:
        """Takes a note, and returns at once."""
        with self._changed:
            if self._held and self._held + note.weight > ROOM:
                RECORDED.labels("dropped").inc()
                return
            self._waiting.append(note)
            self._held += note.weight
            self._changed.notify()

    def stop(self) -> None:
        """Returns when all that waits is written, or cannot be."""
        with self._changed:
            self._stopping = True
            self._changed.notify()
        self._thread.join()
        self._database.dispose()

    def _run(self) -> None:
        tidy_at = time.monotonic()
        while True:
            if time.monotonic() >= tidy_at:
                self._tidy()
                tidy_at = time.monotonic() + TIDY
            with self._changed:
                self._changed.wait_for(lambda: self._waiting or self._stopping, TIDY)
                self._changed.wait_for(lambda: len(self._waiting) >= BUNDLE or self._stopping, PAUSE)
                bundle = list(islice(self._waiting, BUNDLE))
                if self._stopping and not bundle:
                    return
            if bundle:
                self._write(bundle)

    def _write(self, bundle: list[Note]) -> None:
        """Writes a bundle; where the database is away, leaves it for later, but not at the end."""
        try:
            with self._database.begin() as connection:
                connection.execute(insert(Served), [each.row() for each in bundle])
        except Exception as error:
            if not self._failing:
                logger.warning("predictions cannot be recorded: %s", reason(error))
            self._failing = True
            if isinstance(error, OperationalError | InterfaceError | TimeoutError):
                with self._changed:
                    if not self._changed.wait_for(lambda: self._stopping, PAUSE):
                        return
                    bundle = list(self._waiting)
        else:
            self._failing = False
        RECORDED.labels("dropped" if self._failing else "written").inc(len(bundle))
        with self._changed:
            for each in bundle:
                self._waiting.popleft()
                self._held -= each.weight

    def _tidy(self) -> None:
        last = select(func.max(Served.id)).scalar_subquery()
        is_old = Served.at < datetime.now(UTC) - self._kept_for
        try:
            with self._database.begin() as connection:
                connection.execute(delete(Served).where(or_(is_old, Served.id <= last - self._kept)))
        except SQLAlchemyError as error:
            logger.warning("old predictions could not be deleted: %s", reason(error))


class RecordingEngine(Engine):
    """An engine that notes what it answers requests with; jobs, which are no requests, have files of their own."""

    def __init__(self, settings: Settings) -> None:
        """Raises DatabaseUnavailable where the address of the database is none."""
        super().__init__(settings)
        self._journal = Journal(settings)
        self._journal.start()

    def stop(self) -> None:
        """Takes no more calls; returns when all that was accepted is answered, and recorded if that can be."""
        super().stop()
        self._journal.stop()

    async def predict_sized(self, inputs: Sequence[Input], parameters: Parameters) -> list[tuple[Prediction, int]]:
        """As the engine does, and notes it."""
        began, model, revision = time.monotonic(), self.model, self.revision
        sized = await super().predict_sized(inputs, parameters)
        if request := correlation_id.get():
            predictions = [prediction for prediction, _ in sized]
            seconds = time.monotonic() - began
            now = datetime.now(UTC)
            self._journal.add(Note(request, now, model, revision, inputs, parameters, predictions, seconds))
        return sized


def _recorded(given: Input) -> Any:
    """An input as it is written: itself, or what tells it from others."""
    if isinstance(given, bytes) or (isinstance(given, str) and len(given) > LARGE):
        content = given if isinstance(given, bytes) else given.encode(errors="surrogatepass")
        return {"bytes": len(content), "sha256": hashlib.sha256(content).hexdigest()}
    return from_json(encode(given))
