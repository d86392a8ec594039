"""Jobs beside the API: takes them and, where no broker is set, does them on a thread of this process."""

import asyncio
import logging
import signal
import threading
import time
from collections.abc import Callable, Sequence
from functools import lru_cache
from typing import Any

from sqlalchemy.exc import SQLAlchemyError

from . import schema
from .batcher import Busy
from .database import DatabaseUnavailable, connect
from .engine import Engine, NotReady
from .ledger import Ledger
from .predictor import load_predictor
from .records import Predicts
from .settings import Settings
from .tables import Job
from .task import Input, Parameters, Prediction
from .work import Worker

logger = logging.getLogger(__name__)

LOOK = 1.0
"""Seconds between two looks for jobs that are due, or whose worker has died."""

FRESH = 2.0
"""Seconds for which an answer of the database and of the broker, that they can be used, is believed."""


class Jobs:
    """The ledger, and who is told of a job that is new."""

    def __init__(self, settings: Settings, engine: Engine) -> None:
        """Raises DatabaseUnavailable where the address of the database is none. Call in the loop that serves."""
        self._database = connect(settings)
        self.ledger = Ledger(self._database, settings.job_attempts)
        self._broker = None
        self._thread: LocalWorker | None = None
        if settings.broker:
            from .broker import Broker

            self._broker = Broker(settings)
        else:
            shared = SharedPredictor(engine, asyncio.get_running_loop())
            self._thread = LocalWorker(settings, self.ledger, lambda: shared)
        self._reasons: tuple[float, list[str]] = (0.0, [])

    def start(self) -> None:
        """Brings a database of SQLite up to date, if it can, and begins with what was left."""
        if self._database.dialect.name == "sqlite":
            try:
                schema.migrate(self._database)
            except DatabaseUnavailable as error:
                logger.error("not ready: %s", error)
        if self._thread:
            self._thread.start()

    def stop(self) -> None:
        """Gives back what is under way."""
        if self._thread:
            self._thread.stop()
        self._database.dispose()

    def submit(self, kind: str, arguments: dict[str, Any], key: str | None) -> tuple[Job, bool]:
        """The job, and whether it is new. Raises Conflict and SQLAlchemyError; a broker that is away is no error."""
        job, is_new = self.ledger.submit(kind, arguments, key)
        if self._broker:
            self._broker.announce(self.ledger)
        elif self._thread:
            self._thread.wake()
        return job, is_new

    def reasons(self) -> list[str]:
        """Why jobs cannot be taken; empty if they can. May wait for the database and the broker for seconds."""
        looked, reasons = self._reasons
        if reasons or time.monotonic() - looked > FRESH:
            found = [schema.problem(self._database), self._broker.reason() if self._broker else None]
            reasons = [each for each in found if each]
            self._reasons = (time.monotonic(), reasons)
        return reasons


class SharedPredictor:
    """The engine of the API, for a thread that computes beside those who wait for an answer."""

    def __init__(self, engine: Engine, loop: asyncio.AbstractEventLoop) -> None:
        self._engine, self._loop = engine, loop

    def predict(self, inputs: Sequence[Input], parameters: Parameters) -> list[Prediction]:
        """One prediction for each input. Waits while others are served. Raises NotReady and InvalidInput."""
        if not inputs:
            return []
        while True:
            if self._engine.loading:
                self._engine.loading.result()
            try:
                return asyncio.run_coroutine_threadsafe(self._engine.predict(inputs, parameters), self._loop).result()
            except Busy:
                if self._engine.reason:
                    raise NotReady(self._engine.reason) from None
                time.sleep(LOOK)


class LocalWorker:
    """Does jobs on a thread until it is stopped."""

    def __init__(self, settings: Settings, ledger: Ledger, predictor: Callable[[], Predicts]) -> None:
        self._worker, self._ledger = Worker(settings, ledger, predictor), ledger
        self._news = threading.Event()
        self._stopping = False
        self._thread = threading.Thread(target=self.run, name="jobs", daemon=True)

    def start(self) -> None:
        """Begins, on a thread."""
        self._thread.start()

    def wake(self) -> None:
        """There is something to do."""
        self._news.set()

    def stop(self) -> None:
        """Gives back what is under way; returns when nothing is."""
        self._stopping = True
        self.wake()
        try:
            self._ledger.give_back()
        except SQLAlchemyError as error:  # then its lease ends
            logger.warning("a job could not be given back: %s", type(error).__name__)
        if self._thread.is_alive():
            self._thread.join()

    def run(self) -> None:
        """Does what there is to do, until another thread calls `stop`."""
        while not self._stopping:
            try:
                self._ledger.reap()
                while not self._stopping and self._worker.work():
                    pass
            except SQLAlchemyError as error:
                logger.warning("looking for jobs failed: %s", type(error).__name__)
            self._news.wait(LOOK)
            self._news.clear()


def work_alone(settings: Settings) -> None:
    """Does the jobs of the database until SIGTERM or Ctrl-C, in a process of its own. Raises DatabaseUnavailable."""
    database = connect(settings)
    if problem := schema.problem(database):
        raise DatabaseUnavailable(problem)
    ended = threading.Event()
    for each in (signal.SIGTERM, signal.SIGINT):
        signal.signal(each, lambda *_: ended.set())
    predictor = lru_cache(lambda: load_predictor(settings))
    worker = LocalWorker(settings, Ledger(database, settings.job_attempts), predictor)
    worker.start()
    ended.wait()
    worker.stop()
