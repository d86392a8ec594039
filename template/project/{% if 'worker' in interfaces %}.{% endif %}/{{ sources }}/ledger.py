"""Who does which job, and how far: the one place that knows, whatever broker and workers have forgotten.

Each change is one UPDATE that names what must still hold, so that of several who try, one succeeds. A job is held for
a LEASE that its worker renews. Where the lease ends, the job is queued again, and its old attempt changes nothing more.
"""

import os
import random
import socket
import uuid
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from sqlalchemy import Engine, Update, and_, func, or_, select, update
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from .tables import Job, State

LEASE = timedelta(seconds=30)
"""How long a job is held without a word of its worker."""

PAUSE = 2.0
"""Seconds after the first failure until the next attempt, about; twice as many after each further one."""

LONGEST_PAUSE = 600.0
"""Seconds between two attempts, at most."""

BUNDLE = 500
"""Jobs that are announced at a time."""


class Conflict(ValueError):
    """A key that was used for another job."""


@dataclass(frozen=True)
class Claim:
    """A job in the hands of one worker."""

    id: str
    attempt: int
    kind: str
    arguments: dict[str, Any]
    due_at: datetime
    """Since when it waited."""


class Ledger:
    """The jobs in the database. Every method may raise SQLAlchemyError; what it did not finish, it did not begin."""

    def __init__(self, engine: Engine, attempts: int = 5, worker: str = "") -> None:
        """attempts: failures after which a job is given up. worker: who claims them; by default this process."""
        self._engine = engine.execution_options(isolation_level="AUTOCOMMIT")  # one statement needs no BEGIN and COMMIT
        self._attempts = attempts
        self.worker = worker or f"{socket.gethostname()}-{os.getpid()}"

    def submit(self, kind: str, arguments: dict[str, Any], key: str | None = None) -> tuple[Job, bool]:
        """The job, and whether it is new: a key that was used before leads to its job. Raises Conflict."""
        now = _now()
        job = Job(id=str(uuid.uuid4()), key=key, kind=kind, arguments=arguments, created_at=now, due_at=now)
        try:
            with Session(self._engine, expire_on_commit=False) as session, session.begin():
                session.add(job)
            return job, True
        except IntegrityError:
            if key is None:
                raise
        with Session(self._engine) as session:
            known = session.scalars(select(Job).where(Job.key == key)).one()
        if (known.kind, known.arguments) != (kind, arguments):
            raise Conflict("the key was used for another job")
        return known, False

    def get(self, id: str) -> Job | None:
        """The job; None if there is none of this id."""
        with Session(self._engine) as session:
            return session.get(Job, id)

    def newest(self, state: State | None = None, before: datetime | None = None, limit: int = 100) -> Sequence[Job]:
        """The newest jobs first, of those made before a time."""
        query = select(Job).order_by(Job.created_at.desc(), Job.id).limit(limit)
        if state:
            query = query.where(Job.state == state)
        if before:
            query = query.where(Job.created_at < before)
        with Session(self._engine) as session:
            return session.scalars(query).all()

    def cancel(self, id: str) -> bool:
        """Whether the job was under way, and is not any more; a worker notices when it next says how far it is."""
        open_ = Job.state.in_([State.QUEUED, State.RUNNING])
        return self._change(update(Job).where(Job.id == id, open_), state=State.CANCELLED, finished_at=_now())

    def claim(self, id: str | None = None) -> Claim | None:
        """The job of the id, or else the one that is due the longest; None where there is nothing to be had."""
        now = _now()
        due = and_(Job.state == State.QUEUED, Job.due_at <= now)
        if id is None:
            first = select(Job.id).where(due).order_by(Job.due_at).limit(1).with_for_update(skip_locked=True)
            which = Job.id == first.scalar_subquery()
        else:
            which = Job.id == id
        claimed = (
            update(Job)
            .where(which, due)
            .values(
                state=State.RUNNING,
                attempt=Job.attempt + 1,
                worker=self.worker,
                started_at=now,
                leased_until=now + LEASE,
                done=0,
                total=None,
            )
            .returning(Job.id, Job.attempt, Job.kind, Job.arguments, Job.due_at)
        )
        with self._engine.begin() as connection:
            row = connection.execute(claimed).one_or_none()
        return Claim(*row) if row else None

    def renew(self, claim: Claim, done: int, total: int | None) -> bool:
        """Whether the job is still the claim's, which is then held for another lease."""
        return self._change(_held(claim), leased_until=_now() + LEASE, done=done, total=total)

    def succeed(self, claim: Claim, result: dict[str, Any]) -> bool:
        """Whether the job was still the claim's, and has succeeded."""
        return self._change(_held(claim), state=State.SUCCEEDED, result=result, error=None, finished_at=_now())

    def fail(self, claim: Claim, error: str) -> bool:
        """Whether the job was still the claim's, and has failed for good."""
        failures = Job.failures + 1
        return self._change(_held(claim), state=State.FAILED, failures=failures, error=error, finished_at=_now())

    def retry(self, claim: Claim, error: str) -> State | None:
        """What the job is now: queued for later, or failed where it did too often; None if it was not the claim's."""
        with Session(self._engine) as session:
            failures = (session.scalar(select(Job.failures).where(Job.id == claim.id)) or 0) + 1
        if failures >= self._attempts:
            return State.FAILED if self.fail(claim, f"{error} ({failures} attempts)") else None
        pause = min(PAUSE * 2 ** (failures - 1), LONGEST_PAUSE) * random.uniform(0.5, 1.5)  # noqa: S311 - not a secret
        due = _now() + timedelta(seconds=pause)
        queued = self._change(_held(claim), **_QUEUED, failures=failures, error=error, due_at=due)
        return State.QUEUED if queued else None

    def give_back(self) -> None:
        """Queues what this worker holds, which is about to end."""
        self._change(update(Job).where(Job.state == State.RUNNING, Job.worker == self.worker), **_QUEUED)

    def reap(self) -> int:
        """Queues the jobs whose worker has died; those that killed too many of them have failed. Returns how many."""
        dead = and_(Job.state == State.RUNNING, Job.leased_until < _now())
        error = "the worker ended in the middle of it"
        failed = {"failures": Job.failures + 1, "error": error}
        last = Job.failures + 1 >= self._attempts
        ended = self._changed(update(Job).where(dead, last), state=State.FAILED, finished_at=_now(), **failed)
        return ended + self._changed(update(Job).where(dead), **_QUEUED, **failed)

    def unannounced(self, again: bool = False) -> list[str]:
        """Ids of due jobs of which the broker must be told, which count as announced from now on.

        again: of those too that were announced before, for a broker that has nothing waiting has lost them.
        """
        now = _now()
        waits = and_(Job.state == State.QUEUED, Job.due_at <= now)
        new = or_(Job.announced_at.is_(None), Job.announced_at < now - LEASE) if again else Job.announced_at.is_(None)
        some = select(Job.id).where(waits, new).order_by(Job.due_at).limit(BUNDLE).with_for_update(skip_locked=True)
        announced = update(Job).where(Job.id.in_(some.scalar_subquery()), waits).values(announced_at=now)
        with self._engine.begin() as connection:
            return list(connection.scalars(announced.returning(Job.id)))

    def counts(self) -> dict[State, int]:
        """How many jobs there are in each state."""
        with self._engine.connect() as connection:
            rows = connection.execute(select(Job.state, func.count()).group_by(Job.state)).all()
        return dict.fromkeys(State, 0) | {State(state): count for state, count in rows}

    def oldest_wait(self) -> timedelta:
        """For how long the job waits that is due the longest; no time where none is."""
        now = _now()
        due = select(Job.due_at).where(Job.state == State.QUEUED, Job.due_at <= now).order_by(Job.due_at).limit(1)
        with self._engine.connect() as connection:
            return now - (connection.scalar(due) or now)

    def forget_announcement(self, ids: Sequence[str]) -> None:
        """The broker could not be told of these."""
        self._change(update(Job).where(Job.id.in_(ids)), announced_at=None)

    def _change(self, change: Update, **values: Any) -> bool:
        return self._changed(change, **values) > 0

    def _changed(self, change: Update, **values: Any) -> int:
        with self._engine.begin() as connection:
            return connection.execute(change.values(**values)).rowcount


_QUEUED = {"state": State.QUEUED, "announced_at": None, "leased_until": None, "worker": None}


def _held(claim: Claim) -> Update:
    return update(Job).where(Job.id == claim.id, Job.attempt == claim.attempt, Job.state == State.RUNNING)


def _now() -> datetime:
    return datetime.now(UTC)
