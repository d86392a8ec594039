"""The state of all jobs, in the database: the only source of truth, whatever a broker or a worker has lost.

Every change is one UPDATE whose condition states what must still hold, so that only one of several workers succeeds. A
worker holds a job for LEASE_DURATION and renews the lease. When the lease expires, the job is queued again, and the
older attempt can change nothing any more.
"""

import os
import random
import socket
import time
import uuid
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from sqlalchemy import ColumnElement, Engine, Update, and_, func, or_, select, update
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from ..db.engine import serialize
from ..db.models import DEFAULT_OWNER, Job, JobState
from ..db.text import find_unstorable
from ..errors import InvalidInputError
from .owner import OPERATOR, Owner, QuotaExceededError

LEASE_DURATION = timedelta(seconds=30)
"""Time after which a job counts as abandoned if its worker has not renewed the lease."""

RETRY_DELAY_SECONDS = 2.0
"""Approximate delay before the second attempt, in seconds; it doubles with each further failure."""

MAX_RETRY_DELAY_SECONDS = 600.0
"""Maximum delay between two attempts, in seconds."""

ANNOUNCE_BATCH_SIZE = 500
"""Jobs announced to the broker at a time."""

MAX_WORKER_LENGTH = 200
"""Maximum length of the name of a worker, in characters."""

MAX_PROGRESS = 2**31 - 1
"""Maximum of the columns `done` and `total`."""


class IdempotencyConflictError(ValueError):
    """The idempotency key was used for a different job."""


@dataclass(frozen=True)
class JobLease:
    """A job that one worker holds."""

    id: str
    attempt: int
    kind: str
    arguments: dict[str, Any]
    due_at: datetime
    """Time since which the job has waited."""
    owner: str = DEFAULT_OWNER
    is_admin: bool = False


class JobStore:
    """The jobs in the database. Every method may raise SQLAlchemyError, and then has changed nothing."""

    def __init__(self, engine: Engine, max_failures: int = 5, worker: str = "") -> None:
        """Create a store.

        Args:
            engine: The database.
            max_failures: Number of failures after which a job is not retried.
            worker: Name under which jobs are claimed; by default that of this process.
        """
        self.database = engine
        self._engine = engine.execution_options(isolation_level="AUTOCOMMIT")  # saves BEGIN and COMMIT for a statement
        self._max_failures = max_failures
        self._watched: dict[tuple[str, datetime], float] = {}
        self.worker = (worker or f"{socket.gethostname()}-{os.getpid()}")[-MAX_WORKER_LENGTH:]

    def submit(
        self,
        kind: str,
        arguments: dict[str, Any],
        key: str | None = None,
        owner: Owner = OPERATOR,
        max_waiting: int = 0,
    ) -> tuple[Job, bool]:
        """Create a job and return it with True, or return the owner's existing job of the same key with False.

        Args:
            kind: Name of its kind.
            arguments: Its arguments.
            key: Idempotency key.
            owner: Whose job it is. One of an administrator is always created.
            max_waiting: Maximum number of queued jobs of the owner; 0 is no maximum.

        Raises:
            IdempotencyConflictError: The owner used the key for a different job.
            InvalidInputError: The arguments contain what the database cannot hold, such as NUL.
            QuotaExceededError: Too many jobs of the owner are queued.
        """
        if problem := find_unstorable("arguments", arguments):
            raise InvalidInputError(problem)
        now = _now()
        whose = {"owner": owner.name, "is_admin": owner.is_admin}
        job = Job(id=str(uuid.uuid4()), key=key, kind=kind, arguments=arguments, created_at=now, due_at=now, **whose)
        try:
            is_limited = bool(max_waiting) and not owner.is_admin
            bind = self.database if is_limited else self._engine
            with Session(bind, expire_on_commit=False) as session, session.begin():
                if is_limited:
                    serialize(session.connection(), owner.name)
                    waiting = select(func.count()).where(Job.owner == owner.name, Job.state == JobState.QUEUED)
                    if (session.scalar(waiting) or 0) >= max_waiting:
                        raise QuotaExceededError(f"{max_waiting:,} jobs are waiting already: submit it later")
                session.add(job)
            return job, True
        except (IntegrityError, QuotaExceededError) as error:
            existing = self.find_key(key, owner.name) if key else None
            if existing is None:
                raise error from None
        if (existing.kind, existing.arguments) != (kind, arguments):
            raise IdempotencyConflictError("the key was used for another job")
        return existing, False

    def find_key(self, key: str, owner: str) -> Job | None:
        """Return the job for which an owner used an idempotency key, or None."""
        with Session(self._engine) as session:
            return session.scalars(select(Job).where(Job.owner == owner, Job.key == key)).one_or_none()

    def get(self, id: str, owner: str | None) -> Job | None:
        """Return a job, or None if the owner has none with this id. Every job is found if `owner` is None."""
        with Session(self._engine) as session:
            return session.scalars(select(Job).where(Job.id == id, *_of(owner))).one_or_none()

    def find(
        self, owner: str | None, state: JobState | None = None, before: datetime | None = None, limit: int = 100
    ) -> Sequence[Job]:
        """Return jobs, newest first, optionally only those in a state or created before a time.

        Only those of an owner are found, unless `owner` is None.
        """
        query = select(Job).where(*_of(owner)).order_by(Job.created_at.desc(), Job.id).limit(limit)
        if state:
            query = query.where(Job.state == state)
        if before:
            query = query.where(Job.created_at < before)
        with Session(self._engine) as session:
            return session.scalars(query).all()

    def cancel(self, id: str, owner: str | None) -> bool:
        """Cancel a job of an owner, or of anybody if that is None, and return whether it was queued or running.

        Its worker notices at its next progress report.
        """
        is_open = Job.state.in_([JobState.QUEUED, JobState.RUNNING])
        cancelled = update(Job).where(Job.id == id, is_open, *_of(owner))
        return self._change(cancelled, state=JobState.CANCELLED, finished_at=_now())

    def claim(self, id: str | None = None) -> JobLease | None:
        """Claim the job with the id, or the one that is due the longest. Return None if there is none to claim."""
        now = _now()
        due = _is_due(now)
        if id is None:
            first = select(Job.id).where(due).order_by(Job.due_at).limit(1).with_for_update(skip_locked=True)
            which = Job.id == first.scalar_subquery()
        else:
            which = Job.id == id
        claimed = (
            update(Job)
            .where(which, due)
            .values(
                state=JobState.RUNNING,
                attempt=Job.attempt + 1,
                worker=self.worker,
                started_at=now,
                leased_until=now + LEASE_DURATION,
                done=0,
                total=None,
            )
            .returning(Job.id, Job.attempt, Job.kind, Job.arguments, Job.due_at, Job.owner, Job.is_admin)
        )
        with self._engine.begin() as connection:
            row = connection.execute(claimed).one_or_none()
        return JobLease(*row) if row else None

    def renew(self, lease: JobLease, done: int, total: int | None) -> bool:
        """Extend the lease, record the progress, and return whether the lease was still valid."""
        done, total = _scaled(done, total)
        return self._change(_held(lease), leased_until=_now() + LEASE_DURATION, done=done, total=total)

    def succeed(self, lease: JobLease, result: dict[str, Any]) -> bool:
        """End the job with a result, and return whether the lease was still valid."""
        return self._change(_held(lease), state=JobState.SUCCEEDED, result=result, error=None, finished_at=_now())

    def fail(self, lease: JobLease, error: str) -> bool:
        """End the job with an error, and return whether the lease was still valid."""
        failures = Job.failures + 1
        return self._change(_held(lease), state=JobState.FAILED, failures=failures, error=error, finished_at=_now())

    def retry(self, lease: JobLease, error: str) -> JobState | None:
        """Queue the job again after a delay, or fail it if it has failed too often.

        Return the new state, or None if the lease was no longer valid.
        """
        with Session(self._engine) as session:
            failures = (session.scalar(select(Job.failures).where(Job.id == lease.id)) or 0) + 1
        if failures >= self._max_failures:
            return JobState.FAILED if self.fail(lease, f"{error} ({failures} attempts)") else None
        delay = min(RETRY_DELAY_SECONDS * 2 ** (failures - 1), MAX_RETRY_DELAY_SECONDS)
        due = _now() + timedelta(seconds=delay * random.uniform(0.5, 1.5))  # noqa: S311 - not a secret
        queued = self._change(_held(lease), **_QUEUED, failures=failures, error=error, due_at=due)
        return JobState.QUEUED if queued else None

    def release(self) -> None:
        """Queue the jobs that this worker holds, because it shuts down."""
        self._change(update(Job).where(Job.state == JobState.RUNNING, Job.worker == self.worker), **_QUEUED)

    def requeue_expired(self) -> int:
        """Queue the jobs whose lease has expired, or fail those that have failed too often. Return how many."""
        now = _now()
        stale = (and_(Job.id == id, Job.leased_until == until) for id, until in self._stale_leases(now))
        expired = and_(Job.state == JobState.RUNNING, or_(Job.leased_until < now, *stale))
        error = "the worker died while it ran the job"
        failed = {"failures": Job.failures + 1, "error": error}
        is_last = Job.failures + 1 >= self._max_failures
        ended = self._count(update(Job).where(expired, is_last), state=JobState.FAILED, finished_at=_now(), **failed)
        return ended + self._count(update(Job).where(expired), **_QUEUED, **failed)

    def take_unannounced(self, again: bool = False) -> list[str]:
        """Return the ids of due jobs that the broker has no message for, and mark them as announced.

        Args:
            again: Include jobs announced before, because the broker has an empty queue and so has lost them.
        """
        now = _now()
        is_due = _is_due(now)
        is_new = Job.announced_at.is_(None)
        if again:
            is_new = or_(is_new, Job.announced_at < now - LEASE_DURATION, Job.announced_at > now + LEASE_DURATION)
        some = select(Job.id).where(is_due, is_new).order_by(Job.due_at).limit(ANNOUNCE_BATCH_SIZE)
        chosen = some.with_for_update(skip_locked=True).scalar_subquery()
        announced = update(Job).where(Job.id.in_(chosen), is_due).values(announced_at=now)
        with self._engine.begin() as connection:
            return list(connection.scalars(announced.returning(Job.id)))

    def mark_unannounced(self, ids: Sequence[str]) -> None:
        """Record that the broker has no message for these jobs."""
        self._change(update(Job).where(Job.id.in_(ids)), announced_at=None)

    def counts(self) -> dict[JobState, int]:
        """Return the number of jobs in each state."""
        with self._engine.connect() as connection:
            rows = connection.execute(select(Job.state, func.count()).group_by(Job.state)).all()
        return dict.fromkeys(JobState, 0) | {JobState(state): count for state, count in rows}

    def waiting_by_owner(self) -> dict[str, int]:
        """Return the number of queued jobs of each owner that has any."""
        waiting = func.count().label("waiting")
        count = select(Job.owner, waiting).where(Job.state == JobState.QUEUED).group_by(Job.owner)
        with self._engine.connect() as connection:
            return {row.owner: row.waiting for row in connection.execute(count)}

    def oldest_wait(self) -> timedelta:
        """Return how long the oldest due job has waited; zero if there is none."""
        now = _now()
        due = select(Job.due_at).where(Job.state == JobState.QUEUED, Job.due_at <= now).order_by(Job.due_at).limit(1)
        with self._engine.connect() as connection:
            return now - (connection.scalar(due) or now)

    def _stale_leases(self, now: datetime) -> list[tuple[str, datetime]]:
        """Return the leases that end later than any can, and have not been renewed for as long as a lease lasts.

        A clock was set back since they began: they would expire only when it has caught up.
        """
        query = select(Job.id, Job.leased_until).where(
            Job.state == JobState.RUNNING, Job.leased_until > now + LEASE_DURATION
        )
        with self._engine.connect() as connection:
            found = [(id, until) for id, until in connection.execute(query) if until]
        seen = time.monotonic()
        self._watched = {each: self._watched.get(each, seen) for each in found}
        return [each for each, since in self._watched.items() if seen - since >= LEASE_DURATION.total_seconds()]

    def _change(self, change: Update, **values: Any) -> bool:
        return self._count(change, **values) > 0

    def _count(self, change: Update, **values: Any) -> int:
        with self._engine.begin() as connection:
            return connection.execute(change.values(**values)).rowcount


_QUEUED = {"state": JobState.QUEUED, "announced_at": None, "leased_until": None, "worker": None}


def _of(owner: str | None) -> list[ColumnElement[bool]]:
    """Return the condition that a job belongs to an owner; none if the owner is None."""
    return [] if owner is None else [Job.owner == owner]


def _is_due(now: datetime) -> ColumnElement[bool]:
    """Return the condition of a queued job that may start.

    A time that is later than the program ever sets means that a clock was set back since: the job is due.
    """
    latest = now + timedelta(seconds=1.5 * MAX_RETRY_DELAY_SECONDS)
    return and_(Job.state == JobState.QUEUED, or_(Job.due_at <= now, Job.created_at > now, Job.due_at > latest))


def _held(lease: JobLease) -> Update:
    return update(Job).where(Job.id == lease.id, Job.attempt == lease.attempt, Job.state == JobState.RUNNING)


def _scaled(done: int, total: int | None) -> tuple[int, int | None]:
    """Return a progress that fits into the columns, in the same proportion."""
    scale = -(-max(done, total or 0) // MAX_PROGRESS) or 1
    return max(done, 0) // scale, None if total is None else max(total, 0) // scale


def _now() -> datetime:
    return datetime.now(UTC)
