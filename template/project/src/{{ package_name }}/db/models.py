"""Tables of the database. A change here needs a migration: see docs/jobs.md."""

from datetime import UTC, datetime
from enum import StrEnum
from typing import Any

from sqlalchemy import (
    JSON,
    BigInteger,
    DateTime,
    Dialect,
    Double,
    Index,
    Integer,
    MetaData,
    String,
    Text,
    TypeDecorator,
    UniqueConstraint,
    false,
)
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column

from .text import clean_text

DEFAULT_OWNER = "default"
"""Owner of everything while the API needs no keys, of jobs of earlier releases, and of files without a row."""


class JobState(StrEnum):
    """State of a job. The last three are final."""

    QUEUED = "queued"
    RUNNING = "running"
    SUCCEEDED = "succeeded"
    FAILED = "failed"
    CANCELLED = "cancelled"


class UtcDateTime(TypeDecorator[datetime]):
    """A time in UTC. SQLite stores no time zone, and PostgreSQL returns that of the connection."""

    impl = DateTime(timezone=True)
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        """Return a time in UTC. One without an offset is in UTC already."""
        if value is None or value.tzinfo is None:
            return value and value.replace(tzinfo=UTC)
        try:
            return value.astimezone(UTC)
        except OverflowError:  # year 1 east of Greenwich, or year 9999 west of it
            return (datetime.min if value.year == 1 else datetime.max).replace(tzinfo=UTC)

    def process_result_value(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        """Return the stored time in UTC."""
        if value is None:
            return None
        return value.astimezone(UTC) if value.tzinfo else value.replace(tzinfo=UTC)


class CleanText(TypeDecorator[str]):
    """Text of any origin. U+FFFD replaces NUL and lone surrogates, which PostgreSQL does not take."""

    impl = Text
    cache_ok = True

    def process_bind_param(self, value: str | None, dialect: Dialect) -> str | None:
        """Return the text as it is stored, and as stored texts are compared with it."""
        return None if value is None else clean_text(value)


class CleanString(CleanText):
    """The same with a maximum length, in characters."""

    impl = String
    cache_ok = True


class Base(DeclarativeBase):
    """Base class of all tables. The naming convention lets migrations drop keys and indexes by name."""

    metadata = MetaData(
        naming_convention={
            "ix": "ix_%(table_name)s_%(column_0_name)s",
            "pk": "pk_%(table_name)s",
            "uq": "uq_%(table_name)s_%(column_0_name)s",
        }
    )


class Job(Base):
    """A background job."""

    __tablename__ = "jobs"
    __table_args__ = (UniqueConstraint("owner", "key"),)

    id: Mapped[str] = mapped_column(CleanString(36), primary_key=True)
    owner: Mapped[str] = mapped_column(CleanString(64), server_default=DEFAULT_OWNER)
    """Name of the API key that submitted the job."""
    is_admin: Mapped[bool] = mapped_column(server_default=false())
    """Whether that was a key of an administrator: then the job may use the files of all owners."""
    key: Mapped[str | None] = mapped_column(CleanString(200))
    """Idempotency key of the client."""
    kind: Mapped[str] = mapped_column(CleanString(50))
    arguments: Mapped[dict[str, Any]] = mapped_column(JSON)
    state: Mapped[JobState] = mapped_column(String(20), index=True, default=JobState.QUEUED)
    attempt: Mapped[int] = mapped_column(default=0)
    """Number of attempts started. A worker with an older number has lost the job and must not change it."""
    failures: Mapped[int] = mapped_column(default=0)
    """Number of attempts that failed or whose worker died."""
    worker: Mapped[str | None] = mapped_column(CleanString(200))
    done: Mapped[int] = mapped_column(default=0)
    total: Mapped[int | None]
    result: Mapped[dict[str, Any] | None] = mapped_column(JSON)
    error: Mapped[str | None] = mapped_column(CleanText)
    created_at: Mapped[datetime] = mapped_column(UtcDateTime)
    due_at: Mapped[datetime] = mapped_column(UtcDateTime)
    """Earliest start of the next attempt: later than `created_at` after a failure."""
    announced_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    """Time of the message to the broker; None if one must be sent."""
    started_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    leased_until: Mapped[datetime | None] = mapped_column(UtcDateTime)
    """End of the lease: a worker that has not renewed it by then counts as dead."""
    finished_at: Mapped[datetime | None] = mapped_column(UtcDateTime)


class StoredFile(Base):
    """The owner of a file of the storage; see jobs/files.py."""

    __tablename__ = "stored_files"
    __table_args__ = (Index(None, "owner", "path"),)

    path: Mapped[str] = mapped_column(String(500), primary_key=True)
    owner: Mapped[str] = mapped_column(String(64))
    """Name of the API key that stored the file, or whose job did."""
    size: Mapped[int] = mapped_column(BigInteger)
    created_at: Mapped[datetime] = mapped_column(UtcDateTime)
    """Time when the file got its content."""


class PredictionRow(Base):
    """A recorded request with its predictions."""

    __tablename__ = "predictions"

    id: Mapped[int] = mapped_column(BigInteger().with_variant(Integer, "sqlite"), primary_key=True)
    request: Mapped[str] = mapped_column(CleanString(128))
    """X-Request-ID of the response."""
    at: Mapped[datetime] = mapped_column(UtcDateTime, index=True)
    model: Mapped[str] = mapped_column(CleanText)
    revision: Mapped[str | None] = mapped_column(CleanText)
    inputs: Mapped[list[Any]] = mapped_column(JSON)
    parameters: Mapped[dict[str, Any]] = mapped_column(JSON)
    predictions: Mapped[list[Any]] = mapped_column(JSON)
    """One for each input."""
    seconds: Mapped[float] = mapped_column(Double)
    """Duration in the engine: queue and computation, without HTTP."""
