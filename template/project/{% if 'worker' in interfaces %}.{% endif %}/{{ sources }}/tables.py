"""The tables of the database. A change here needs a migration beside it: docs/jobs.md."""

from datetime import UTC, datetime
from enum import StrEnum
from typing import Any

from sqlalchemy import JSON, BigInteger, DateTime, Dialect, Double, Integer, MetaData, String, Text, TypeDecorator
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column


class State(StrEnum):
    """Where a job is. The last three are ends."""

    QUEUED = "queued"
    RUNNING = "running"
    SUCCEEDED = "succeeded"
    FAILED = "failed"
    CANCELLED = "cancelled"


class Moment(TypeDecorator[datetime]):
    """A time in UTC; SQLite, which has no times, forgets the zone."""

    impl = DateTime(timezone=True)
    cache_ok = True

    def process_result_value(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        """The time as it was written."""
        return value.replace(tzinfo=UTC) if value and value.tzinfo is None else value


class Table(DeclarativeBase):
    """What all tables share: how keys and indexes are called, by which migrations drop them."""

    metadata = MetaData(
        naming_convention={
            "ix": "ix_%(table_name)s_%(column_0_name)s",
            "pk": "pk_%(table_name)s",
            "uq": "uq_%(table_name)s_%(column_0_name)s",
        }
    )


class Job(Table):
    """A piece of work that outlives the request that asked for it."""

    __tablename__ = "jobs"

    id: Mapped[str] = mapped_column(String(36), primary_key=True)
    key: Mapped[str | None] = mapped_column(String(200), unique=True)
    """By which a client that asks again is known."""
    kind: Mapped[str] = mapped_column(String(50))
    arguments: Mapped[dict[str, Any]] = mapped_column(JSON)
    state: Mapped[State] = mapped_column(String(20), index=True, default=State.QUEUED)
    attempt: Mapped[int] = mapped_column(default=0)
    """How often it was begun. Who holds an older number has lost the job, and may change nothing any more."""
    failures: Mapped[int] = mapped_column(default=0)
    """Attempts that failed, or whose worker did not live to end them."""
    worker: Mapped[str | None] = mapped_column(String(200))
    done: Mapped[int] = mapped_column(default=0)
    total: Mapped[int | None]
    result: Mapped[dict[str, Any] | None] = mapped_column(JSON)
    error: Mapped[str | None] = mapped_column(Text)
    created_at: Mapped[datetime] = mapped_column(Moment)
    due_at: Mapped[datetime] = mapped_column(Moment)
    """When it may begin: later than it was made, where an attempt has failed."""
    announced_at: Mapped[datetime | None] = mapped_column(Moment)
    """When the broker was told of it; None where it must be."""
    started_at: Mapped[datetime | None] = mapped_column(Moment)
    leased_until: Mapped[datetime | None] = mapped_column(Moment)
    """When a worker that has not said a word until then counts as dead."""
    finished_at: Mapped[datetime | None] = mapped_column(Moment)


class Served(Table):
    """A prediction that a request was answered with."""

    __tablename__ = "predictions"

    id: Mapped[int] = mapped_column(BigInteger().with_variant(Integer, "sqlite"), primary_key=True)
    request: Mapped[str] = mapped_column(String(128))
    """The X-Request-ID of the answer."""
    at: Mapped[datetime] = mapped_column(Moment, index=True)
    model: Mapped[str] = mapped_column(Text)
    revision: Mapped[str | None] = mapped_column(Text)
    inputs: Mapped[list[Any]] = mapped_column(JSON)
    parameters: Mapped[dict[str, Any]] = mapped_column(JSON)
    predictions: Mapped[list[Any]] = mapped_column(JSON)
    """One for each input."""
    seconds: Mapped[float] = mapped_column(Double)
    """Time of the answer, without what lies between the engine and the client."""
