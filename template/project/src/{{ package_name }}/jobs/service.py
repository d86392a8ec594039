"""Jobs beside the API: accepts them and, if no broker is set, runs them on a thread of this process."""

import asyncio
import logging
import threading
import time
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from prometheus_client.registry import Collector

from ..base_settings import ServiceSettings
from ..db import migrate
from ..db.engine import DatabaseUnavailableError, connect, read_only_problem
from ..db.models import Job
from ..errors import NotReadyError, QueueFullError
from ..inference.engine import Engine
from ..probe import Probe, problems
from ..storage import NoSuchFileError, Storage, StorageUnavailableError
from .files import OwnedFiles
from .local_worker import LocalWorker
from .metrics import JobBacklog, StorageState
from .owner import OPERATOR, Owner
from .store import JobStore
from .types import JobTypes
from .worker import Worker

if TYPE_CHECKING:
    from .celery_app import Broker

logger = logging.getLogger(__name__)

RETRY_SECONDS = 1.0
"""Delay before a job asks an engine again whose queue was full, in seconds."""

PROBE_SECONDS = 2.0
"""Maximum wait for database, broker and storage in a check, in seconds: the image's health check waits 3 for /ready."""

CACHE_TTL_SECONDS = 2.0
"""Time for which a successful check of database, broker and storage is cached, in seconds."""

ABANDONED_AFTER_SECONDS = 86_400.0
"""Time without a write after which a file that is being written was left by a killed process, in seconds."""

CLEANUP_SECONDS = 3600.0
"""Interval between two deletions of abandoned files, in seconds."""


class JobService:
    """Accepts jobs. Implements server/service.py's DegradableService."""

    def __init__(self, settings: ServiceSettings, engine: Engine, job_types: JobTypes) -> None:
        """Create the service. It connects when it is started.

        Raises:
            DatabaseUnavailableError: The setting `database` is not an address.
            StorageUnavailableError: The setting `storage` is not an address.
        """
        self._database = connect(settings)
        self._settings, self._job_types = settings, job_types
        self._model = EngineModel(engine)
        self.storage = Storage(settings)
        self.store = JobStore(self._database, settings.job_attempts)
        self.collectors: Sequence[Collector] = [JobBacklog(self.store), StorageState(self.is_writable)]
        self._broker = _broker(settings)
        self._probes = [Probe("the database", self._database_problem), self.storage.probe]
        if self._broker:
            self._probes.append(Probe("the broker", self._broker.problem))
        self._worker: LocalWorker | None = None
        if not self._broker and settings.jobs_in_api:
            self._worker = LocalWorker(Worker(settings, self.store, job_types, lambda: self._model))
        self._checked: tuple[float, list[str]] = (0.0, [])
        self._written: tuple[float, StorageUnavailableError | None] = (-CACHE_TTL_SECONDS, None)
        self._abandoned_after_seconds = max(ABANDONED_AFTER_SECONDS, 2 * settings.job_timeout_seconds)
        self._stopped = threading.Event()

    async def start(self) -> None:
        """Migrate a database of SQLite, and continue with the jobs that are queued."""
        self._model.loop = asyncio.get_running_loop()
        await asyncio.to_thread(self._start)

    def _start(self) -> None:
        if problem := read_only_problem(self._database):
            logger.error("jobs and files are not available: %s", problem)
        elif self._database.dialect.name == "sqlite" and self._database_problem():
            try:
                migrate.migrate(self._database)
            except DatabaseUnavailableError as error:
                logger.error("not ready: %s", error)
        if self._worker:
            self._worker.start()
        threading.Thread(target=self._clean_up, name="cleanup", daemon=True).start()

    def _clean_up(self) -> None:
        while True:
            try:
                if count := self.storage.delete_abandoned(self._abandoned_after_seconds):
                    logger.info("deleted %d abandoned uploads", count)
            except OSError as error:
                logger.warning("abandoned uploads could not be deleted: %s", error)
            if self._stopped.wait(CLEANUP_SECONDS):
                return

    async def stop(self) -> None:
        """Release the running job."""
        await asyncio.to_thread(self._stop)

    def _stop(self) -> None:
        self._stopped.set()
        if self._worker:
            self._worker.stop()
        self._database.dispose()

    def submit(
        self, kind: str, arguments: dict[str, Any], key: str | None, owner: Owner = OPERATOR
    ) -> tuple[Job, bool]:
        """Create a job and return it with True, or return the owner's existing job of the same key with False.

        A broker that cannot be reached is no error: a worker announces the job later.

        Raises:
            NoSuchFileError: The job reads a file that the owner does not have, or would replace somebody else's.
            IdempotencyConflictError: The key was used for a different job.
            InvalidInputError: The arguments contain what the database cannot hold.
            QuotaExceededError: Too many jobs of the owner are queued.
            SQLAlchemyError: The database cannot be reached.
            StorageUnavailableError: The storage takes no files, so the job would fail.
        """
        if problem := self._write_problem():
            raise problem
        try:
            self._check_files(kind, arguments, owner)
        except NoSuchFileError:
            existing = self.store.find_key(key, owner.name) if key else None
            if not existing:
                raise
        job, is_new = self.store.submit(kind, arguments, key, owner, self._settings.quota_waiting_jobs)
        if self._broker:
            self._broker.announce(self.store)
        elif self._worker:
            self._worker.wake()
        return job, is_new

    def degraded(self) -> Mapping[str, list[str]]:
        """Return why jobs and files cannot be accepted although predictions can: a disk is full or read-only."""
        found = [read_only_problem(self._database), self._write_problem()]
        problems = [str(each) for each in found if each]
        return {"jobs": problems, "files": problems} if problems else {}

    def is_writable(self) -> bool:
        """Return whether the storage takes files."""
        return self._write_problem() is None

    def _write_problem(self) -> StorageUnavailableError | None:
        checked, problem = self._written
        if problem or time.monotonic() - checked >= CACHE_TTL_SECONDS:
            problem = None
            try:
                self.storage.check_writable()
            except StorageUnavailableError as error:
                problem = error
            self._written = (time.monotonic(), problem)
        return problem

    def files(self, owner: Owner) -> OwnedFiles:
        """Return the files that an owner may use."""
        return OwnedFiles(self.storage, self._database, owner, self._settings.quota_file_bytes)

    def _check_files(self, kind: str, arguments: dict[str, Any], owner: Owner) -> None:
        if owner.is_admin:
            return
        job_type = self._job_types[kind]
        given = job_type.arguments.model_validate(arguments)
        files = self.files(owner)
        for path in job_type.reads(given):
            if not files.exists(path):
                raise NoSuchFileError(f"{path}: no such file in the storage")
        for path in job_type.writes(given):
            files.require_writable(path)

    def reasons(self) -> list[str]:
        """Return why jobs cannot be accepted; empty if they can. May block for PROBE_SECONDS."""
        checked, reasons = self._checked
        if reasons or time.monotonic() - checked > CACHE_TTL_SECONDS:
            reasons = problems(self._probes, PROBE_SECONDS)
            self._checked = (time.monotonic(), reasons)
        return reasons

    def _database_problem(self) -> str | None:
        return None if read_only_problem(self._database) else migrate.problem(self._database, allow_newer=True)


def _broker(settings: ServiceSettings) -> "Broker | None":
    """Return the broker of the settings; None if they name none, so that its packages are not imported."""
    if not settings.broker:
        return None
    from .celery_app import Broker

    return Broker(settings)


class EngineModel:
    """The engine of the API as a model for the thread that runs jobs, so that the model is loaded once."""

    loop: asyncio.AbstractEventLoop

    def __init__(self, engine: Engine) -> None:
        """Wrap the engine. Set `loop` to the event loop of the API before the first call."""
        self._engine = engine

    def parse_text(self, text: str) -> Any:
        """Return the input that the text of a record stands for. Raise NotReadyError if the model failed to load."""
        self._wait_for_load()
        return self._engine.model.parse_text(text)

    def predict(self, inputs: Sequence[Any], parameters: Any) -> list[Any]:
        """Return a prediction for each input. Requests of clients go first: wait while the queue is full.

        Accepted inputs have no limit of time: more than the model computes in it would be refused again and again.

        Raises:
            NotReadyError: The model failed to load, or the API shuts down.
            InvalidInputError: The model cannot take an input or a parameter.
        """
        if not inputs:
            return []
        self._wait_for_load()
        while True:
            try:
                predicted = self._engine.predict(inputs, parameters, is_patient=True)
                return asyncio.run_coroutine_threadsafe(predicted, self.loop).result()
            except QueueFullError:
                if self._engine.reason:
                    raise NotReadyError(self._engine.reason) from None
                time.sleep(RETRY_SECONDS)

    def _wait_for_load(self) -> None:
        if self._engine.loading:
            self._engine.loading.result()
