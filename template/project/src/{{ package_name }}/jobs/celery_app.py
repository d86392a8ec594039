"""Workers with a broker: Celery and Redis, which start a queued job without a delay.

The database holds every job; a message only announces that there is one. So a message may arrive twice or never: a
worker ignores the message of a job that it cannot claim, and announces due jobs again while the queue is empty.
"""

import logging
import logging.config
import threading
import time
from collections.abc import Callable
from functools import lru_cache
from pathlib import Path
from typing import Any

from celery import Celery, signals
from kombu.exceptions import OperationalError
from redis import Redis, RedisError
from sqlalchemy.exc import SQLAlchemyError
from yarl import URL

from ..base_settings import ServiceSettings
from ..batch.predict import SupportsPredict
from ..db.engine import connect
from ..observability.logging import configuration
from . import metrics
from .store import ANNOUNCE_BATCH_SIZE, JobStore
from .types import JobTypes
from .worker import Worker

logger = logging.getLogger(__name__)

QUEUE = __name__.partition(".")[0]
"""Name of the queue: that of the package, so that projects can share a Redis."""

POLL_SECONDS = 5.0
"""Interval between two queries of a worker for expired leases and unannounced jobs, in seconds."""

HEARTBEAT_FILE = Path("/tmp/worker-alive")  # noqa: S108 - the health check in compose.yaml reads it
"""File that a worker touches after each query."""

KILL_GRACE_SECONDS = 60
"""Time that a job may exceed `job_timeout_seconds` without a progress report before its process is killed."""

CONNECT_TIMEOUT_SECONDS = 3
"""Maximum wait for the broker, in seconds."""

SOCKET_TIMEOUT_SECONDS = 30
"""Maximum wait for an answer of the broker to a worker, in seconds."""

RETRY_SECONDS = 5.0
"""Time for which nothing is announced after the broker has failed, in seconds: whoever submits a job would wait."""


class Broker:
    """The queue that announces jobs to workers."""

    def __init__(self, settings: ServiceSettings) -> None:
        """Create the clients. They connect on first use."""
        address = broker_address(settings)
        self.celery = _celery(address, settings.job_timeout_seconds, socket_timeout=SOCKET_TIMEOUT_SECONDS)
        self._publisher = _celery(
            address, settings.job_timeout_seconds, socket_timeout=CONNECT_TIMEOUT_SECONDS, max_retries=0
        )
        self._down_until = 0.0
        self._redis = Redis.from_url(
            address, socket_timeout=CONNECT_TIMEOUT_SECONDS, socket_connect_timeout=CONNECT_TIMEOUT_SECONDS
        )

    def announce(self, store: JobStore, again: bool = False) -> None:
        """Send a message for every due job that has none. Failed messages are sent later, by any worker.

        Args:
            store: The jobs.
            again: Also send messages for jobs announced before, because the broker has lost them.
        """
        is_full = time.monotonic() >= self._down_until
        while is_full:
            ids = store.take_unannounced(again)
            is_full = len(ids) == ANNOUNCE_BATCH_SIZE
            try:
                while ids:
                    self._publisher.send_task("work", [ids[-1]], retry=False)
                    ids.pop()
            except (OperationalError, RedisError, OSError) as error:
                logger.warning("the broker cannot be reached, jobs stay queued: %s", type(error).__name__)
                self._down_until = time.monotonic() + RETRY_SECONDS
                store.mark_unannounced(ids)
                return

    def is_empty(self) -> bool:
        """Return whether no message waits for a worker. Raise RedisError if the broker cannot be reached."""
        return self._redis.llen(QUEUE) == 0

    def problem(self) -> str | None:
        """Return why the broker cannot be used, or None."""
        try:
            self._redis.ping()
        except (RedisError, OSError) as error:
            return f"the broker cannot be reached: {type(error).__name__}"
        return None


def run(settings: ServiceSettings, job_types: JobTypes, load_model: Callable[[], SupportsPredict]) -> int:
    """Run jobs until SIGTERM or Ctrl-C, which release the running ones, and return the exit code.

    Args:
        settings: The settings, which name the broker.
        job_types: The kinds of job.
        load_model: Called in each process of the worker, after it is forked, for every job that predicts.
    """
    broker = Broker(settings)
    database = connect(settings)
    store = JobStore(database, settings.job_attempts)
    ended = threading.Event()

    @lru_cache
    def worker() -> Worker:
        """Return the worker of this forked process, with connections of its own."""
        database.dispose(close=False)
        own_store = JobStore(connect(settings), settings.job_attempts, store.worker)
        return Worker(settings, own_store, job_types, load_model)

    @broker.celery.task(name="work")
    def work(id: str) -> None:
        worker().run_one(id)

    def poll() -> None:
        while not ended.wait(POLL_SECONDS):
            try:
                metrics.WORKERS_LOST.inc(store.requeue_expired())
                broker.announce(store)
                if broker.is_empty():
                    broker.announce(store, again=True)
                HEARTBEAT_FILE.touch()
            except (SQLAlchemyError, RedisError, OSError) as error:
                logger.warning("querying for jobs failed: %s", type(error).__name__)

    def start_polling(**_: Any) -> None:
        threading.Thread(target=poll, name="poll", daemon=True).start()

    def release(**_: Any) -> None:
        ended.set()
        try:
            store.release()
        except SQLAlchemyError as error:  # the jobs are queued again when their leases expire
            logger.warning("jobs could not be released: %s", type(error).__name__)

    def start_process(**_: Any) -> None:
        metrics.start_process(job_types)

    def configure_logging(**_: Any) -> None:
        logging.config.dictConfig(configuration(settings.log_level, settings.log_format))

    signals.worker_process_init.connect(start_process, weak=False)
    signals.worker_ready.connect(start_polling, weak=False)
    signals.worker_shutting_down.connect(release, weak=False)
    signals.setup_logging.connect(configure_logging, weak=False)
    options = [f"--concurrency={settings.worker_processes}", f"--hostname={store.worker}", f"--queues={QUEUE}"]
    try:
        broker.celery.worker_main(["--quiet", "worker", *options, "--without-gossip", "--without-mingle"])
    except SystemExit as ended_with:
        return int(ended_with.code or 0)
    return 0


def broker_address(settings: ServiceSettings) -> str:
    """Return the address of Redis, with its password."""
    address = URL(settings.broker)
    if settings.broker_password:
        address = address.with_password(settings.broker_password.get_secret_value())
    return str(address)


def _celery(address: str, timeout_seconds: float, **transport_options: float) -> Celery:
    celery = Celery(QUEUE, broker=address, set_as_current=False)
    celery.conf.update(
        broker_connection_retry_on_startup=True,
        broker_connection_max_retries=None,
        broker_transport_options={
            # A shorter visibility timeout would deliver a message again while its job runs.
            "visibility_timeout": timeout_seconds + 2 * KILL_GRACE_SECONDS,
            "socket_connect_timeout": CONNECT_TIMEOUT_SECONDS,
            "socket_keepalive": True,
            **transport_options,
        },
        task_acks_late=True,
        task_default_queue=QUEUE,
        task_ignore_result=True,
        task_reject_on_worker_lost=True,
        task_time_limit=timeout_seconds + KILL_GRACE_SECONDS,
        worker_prefetch_multiplier=1,
    )
    return celery
