"""Files of the storage as one owner may use them: the only place that decides whose file a path is.

The table of StoredFile names the owner of each file. A row is written when a new file is complete, just before the file
appears: of two owners that write the same new path, the first to finish has it, and an upload that fails or is killed
leaves no row. A file without a row was stored by other means or by an earlier release, and belongs to DEFAULT_OWNER. To
an owner, a path of somebody else is a path without a file.

Database and storage have no transaction in common, so whoever changes both holds the lock of the path. Readers hold
none: they look at the row before they open the file and again afterwards. Accepted, because it needs an accident within
an accident:

- A process that stands still for LOCK_DURATION between row and file loses the lock: the row of a path may then be that
  of one upload, and the file that of another.
- A process that dies between row and file leaves a row without a file, which counts and keeps others off the path for
  ABANDONED.
- A reader whose file is deleted, stored and deleted by somebody else, all between its two looks, may have opened it.
"""

import hashlib
import io
import re
import time
import unicodedata
import uuid
from collections.abc import Callable, Generator, Sequence
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import IO, Any, cast

from sqlalchemy import ColumnElement, Connection, Delete, Engine, Update, delete, func, insert, select, update
from sqlalchemy.exc import IntegrityError, SQLAlchemyError
from sqlalchemy.orm import Session

from ..db.engine import serialize
from ..db.models import DEFAULT_OWNER, StoredFile
from ..errors import InvalidInputError
from ..storage import NoSuchFileError, Storage, validate_path
from .owner import OPERATOR, Owner, QuotaExceededError

ABANDONED = timedelta(minutes=10)
"""Age at which a row whose file is absent was left by a process that died, and the path is free again.

It is long: a folder that several machines share shows a new file later to some of them than to others.
"""

LOCK_DURATION = timedelta(seconds=30)
"""Age at which the lock of a path was left by a process that died: it is held while a file is renamed or deleted."""

LOCK_POLL_SECONDS = 0.05
"""Interval in which a lock that somebody else holds is tried again, in seconds."""

RESERVATIONS = ".reserved/"
"""Begin of the path in the row of a lock, or of a running upload, which counts its bytes in advance.

No file has such a path.
"""

MAX_RESERVED_BYTES = 8_000_000
"""Bytes that an upload of unknown size reserves at a time, at most; each time is a transaction."""

MAX_RESERVED_RATIO = 1 / 100
"""Part of the quota that it reserves at a time, at most: others are refused what it does not use."""

OBJECT_VERSION = re.compile(r"[?](versionid|generation)=", re.IGNORECASE)
"""What fsspec's buckets read as the version of an object: it would be a second path of the same file."""


@dataclass(frozen=True)
class _Claim:
    """A row that was just written, and what it replaced."""

    path: str
    at: datetime
    before: StoredFile | None


class OwnedFiles:
    """The files that one owner may use. Its methods are those of Storage, and raise what they raise.

    Every method may also raise SQLAlchemyError.
    """

    def __init__(self, storage: Storage, database: Engine, owner: Owner = OPERATOR, max_bytes: int = 0) -> None:
        """Limit a storage to what an owner may use.

        Args:
            storage: The files of all owners.
            database: Their rows.
            owner: Whose files may be used. An administrator may use all, without a quota.
            max_bytes: Maximum size of all files of the owner in bytes; 0 is no maximum.
        """
        self._storage, self._database, self._owner = storage, database, owner
        self._max_bytes = 0 if owner.is_admin else max_bytes

    def size(self, path: str) -> int:
        """Return the size of a file in bytes.

        Raises:
            NoSuchFileError: The owner has no file at the path.
        """
        self._require(path)
        size = self._storage.size(path)
        self._require(path)  # somebody may have deleted it, and somebody else stored it, since
        return size

    def exists(self, path: str) -> bool:
        """Return whether the owner has a file at the path."""
        return self._is_usable(path) and self._storage.exists(path) and self._is_usable(path)

    @contextmanager
    def read(self, path: str) -> Generator[IO[bytes]]:
        """Open a file for reading.

        Raises:
            NoSuchFileError: The owner has no file at the path.
        """
        self._require(path)
        try:
            with self._storage.read(path) as stream:
                self._require(path)
                yield stream
        except NoSuchFileError:
            self._forget_absent(path)
            raise

    @contextmanager
    def write(self, path: str, expected_bytes: int = 0) -> Generator[IO[bytes]]:
        """Open a stream that replaces the file when the block ends, and is discarded if the block fails.

        Args:
            path: Path of the file.
            expected_bytes: Size of the file if it is known, so that one beyond the quota is refused at once.

        Raises:
            NoSuchFileError: The path belongs to somebody else.
            QuotaExceededError: The file is larger than what is left of the quota.
        """
        self.require_writable(path)
        with self._reservation() as reservation, ExitStack() as locked:
            if reservation:
                reservation.cover(expected_bytes)
            claim: _Claim | None = None
            try:
                with self._storage.write(path) as raw:
                    yield cast(IO[bytes], _BoundedStream(raw, reservation.cover)) if reservation else raw
                    locked.enter_context(self._locked(path))
                    claim = self._claim(path, _size(raw), reservation)
            except BaseException:
                if claim:
                    with suppress(SQLAlchemyError):  # without its file, the row is free again after ABANDONED
                        self._undo(claim)
                raise

    def delete(self, path: str) -> None:
        """Delete a file.

        Raises:
            NoSuchFileError: The owner has no file at the path.
        """
        self._require(path)
        with self._locked(path):
            self._require(path)
            row = self._row(path)
            try:
                self._storage.delete(path)
            except NoSuchFileError:
                if row and _is_old(row):
                    self._execute(delete(StoredFile).where(*_same(row)))
                raise
            if row:
                self._execute(delete(StoredFile).where(*_same(row)))

    def require_writable(self, path: str) -> None:
        """Do nothing if the owner may write to the path.

        Raises:
            NoSuchFileError: The path belongs to somebody else.
        """
        self._writable_row(path)

    def find(self, prefix: str = "", after: str = "", limit: int = 100) -> Sequence[StoredFile]:
        """Return files by path: those of the owner, or all for an administrator, that have a row.

        Args:
            prefix: Begin of each path.
            after: Path after which the result begins.
            limit: Maximum number of files.
        """
        query = select(StoredFile).where(*self._mine(), func.substr(StoredFile.path, 1, 1) != RESERVATIONS[0])
        if prefix:  # LIKE would ignore the case in SQLite
            query = query.where(func.substr(StoredFile.path, 1, len(prefix)) == prefix)
        if after:
            query = query.where(StoredFile.path > after)
        with Session(self._database) as session:
            return session.scalars(query.order_by(StoredFile.path).limit(limit)).all()

    def _mine(self) -> list[ColumnElement[bool]]:
        return [] if self._owner.is_admin else [StoredFile.owner == self._owner.name]

    def _key(self, path: str) -> str:
        """Return the path of the row of a file: all paths of one file have the same."""
        validate_path(path)
        if OBJECT_VERSION.search(path):
            raise InvalidInputError(f"{path!r}: not a path below the storage, such as inputs/texts.jsonl")
        return unicodedata.normalize("NFC", path).casefold() if self._storage.folds_names else path

    def _row(self, path: str) -> StoredFile | None:
        with Session(self._database) as session:
            return session.get(StoredFile, self._key(path))

    def _is_usable(self, path: str) -> bool:
        """Return whether a file at the path, if there is one, belongs to the owner."""
        if self._owner.is_admin:
            validate_path(path)
            return True
        row = self._row(path)
        return (row.owner if row else DEFAULT_OWNER) == self._owner.name

    def _require(self, path: str) -> None:
        if not self._is_usable(path):
            raise _no_such_file(path)

    def _writable_row(self, path: str) -> tuple[StoredFile | None, str]:
        """Return the row of a path that may be written to, and who owns the path then.

        Raises:
            NoSuchFileError: The path belongs to somebody else.
        """
        row, name = self._row(path), self._owner.name
        if row and (row.owner == name or self._owner.is_admin):
            return row, row.owner
        if row:
            if not _is_old(row) or self._storage.exists(path):
                raise _no_such_file(path)
            return row, name
        if not self._storage.exists(path):
            return None, name
        if self._row(path):
            return self._writable_row(path)  # another upload wrote it meanwhile, before its file appeared
        if name != DEFAULT_OWNER and not self._owner.is_admin:
            raise _no_such_file(path)
        return None, DEFAULT_OWNER

    def _claim(self, path: str, size: int, reservation: "_Reservation | None") -> _Claim:
        """Write the row of a file that is complete and about to appear, and whose path is locked."""
        row, name = self._writable_row(path)
        claim = _Claim(self._key(path), datetime.now(UTC), row)
        values = {"owner": name, "size": size, "created_at": claim.at}
        with self._serialized() as connection:
            if reservation:
                reservation.end(connection)
                if self._used(connection, StoredFile.path != claim.path) + size > self._max_bytes:
                    raise self._quota_exceeded()
            if row is None:
                connection.execute(insert(StoredFile).values(path=claim.path, **values))
            else:
                connection.execute(update(StoredFile).where(StoredFile.path == claim.path).values(**values))
        return claim

    def _undo(self, claim: _Claim) -> None:
        where = StoredFile.path == claim.path, StoredFile.created_at == claim.at
        before = claim.before
        if before is None:
            self._execute(delete(StoredFile).where(*where))
            return
        values = {"owner": before.owner, "size": before.size, "created_at": before.created_at}
        self._execute(update(StoredFile).where(*where).values(**values))

    def _forget_absent(self, path: str) -> None:
        """Delete the row of a file that was deleted by other means, or whose writer died before the file appeared."""
        row = self._row(path)
        if row and _is_old(row):
            with self._locked(path):
                self._execute(delete(StoredFile).where(*_same(row)))

    @contextmanager
    def _locked(self, path: str) -> Generator[None]:
        """Let nobody else change the row or the file of a path while the block runs, on any replica.

        The lock is a row, not a transaction: that would keep a connection, and other writers from SQLite, while the
        storage works.
        """
        lock = f"{RESERVATIONS}{hashlib.sha256(self._key(path).encode()).hexdigest()}"
        at = self._lock(lock)
        try:
            yield
        finally:
            with suppress(SQLAlchemyError):  # it ends by itself after LOCK_DURATION
                self._execute(delete(StoredFile).where(StoredFile.path == lock, StoredFile.created_at == at))

    def _lock(self, path: str) -> datetime:
        """Wait for the row of a lock, and return the time that it has."""
        while True:
            now = datetime.now(UTC)
            with suppress(IntegrityError), self._database.begin() as connection:
                is_of_the_dead = StoredFile.created_at < now - LOCK_DURATION
                connection.execute(delete(StoredFile).where(StoredFile.path == path, is_of_the_dead))
                values = {"path": path, "owner": self._owner.name, "size": 0, "created_at": now}
                connection.execute(insert(StoredFile).values(**values))
                return now
            time.sleep(LOCK_POLL_SECONDS)

    @contextmanager
    def _reservation(self) -> Generator["_Reservation | None"]:
        """Count a running upload; None if there is no quota."""
        if not self._max_bytes:
            yield None
            return
        reservation = _Reservation(self)
        try:
            yield reservation
        finally:
            with suppress(SQLAlchemyError), self._serialized() as connection:  # it ends by itself after ABANDONED
                reservation.end(connection)

    def _used(self, connection: Connection, *where: ColumnElement[bool]) -> int:
        total = select(func.sum(StoredFile.size)).where(StoredFile.owner == self._owner.name, *where)
        used: Any = connection.scalar(total) or 0
        return int(used)  # a sum of PostgreSQL is a decimal

    def _quota_exceeded(self) -> QuotaExceededError:
        return QuotaExceededError(f"the quota of {self._max_bytes:,} bytes of files is used up: delete some first")

    @contextmanager
    def _serialized(self) -> Generator[Connection]:
        """Open a transaction that no other one of the owner runs beside, on any replica."""
        with self._database.connect() as connection:
            serialize(connection, self._owner.name)
            yield connection
            connection.commit()

    def _execute(self, change: Delete | Update) -> None:
        with self._database.begin() as connection:
            connection.execute(change)


class _Reservation:
    """Bytes of a running upload that count as used, so that several uploads at once keep the quota."""

    def __init__(self, files: OwnedFiles) -> None:
        self._files = files
        self._path = f"{RESERVATIONS}{uuid.uuid4().hex}"
        self._bytes = 0

    def cover(self, size: int) -> None:
        """Reserve at least `size` bytes. Raise QuotaExceededError if there are not that many."""
        if size <= self._bytes:
            return
        now = datetime.now(UTC)
        of_the_dead = func.substr(StoredFile.path, 1, len(RESERVATIONS)) == RESERVATIONS
        with self._files._serialized() as connection:
            connection.execute(delete(StoredFile).where(of_the_dead, StoredFile.created_at < now - ABANDONED))
            self.end(connection)
            free = self._files._max_bytes - self._files._used(connection)
            if size > free:
                raise self._files._quota_exceeded()
            spare = min(MAX_RESERVED_BYTES, int(self._files._max_bytes * MAX_RESERVED_RATIO)) if self._bytes else 0
            reserved = min(free, size + spare)
            values = {"path": self._path, "owner": self._files._owner.name, "size": reserved, "created_at": now}
            connection.execute(insert(StoredFile).values(**values))
        self._bytes = reserved

    def end(self, connection: Connection) -> None:
        """Give the bytes back."""
        connection.execute(delete(StoredFile).where(StoredFile.path == self._path))


class _BoundedStream(io.BufferedIOBase):
    """A stream that calls `cover` with its size before it grows."""

    def __init__(self, raw: IO[bytes], cover: Callable[[int], None]) -> None:
        self._raw, self._cover = raw, cover
        self._bytes = 0

    def write(self, data: Any) -> int:
        self._bytes += memoryview(data).nbytes
        self._cover(self._bytes)
        return self._raw.write(data)

    def writable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return self._raw.seekable()

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        return self._raw.seek(offset, whence)

    def tell(self) -> int:
        return self._raw.tell()

    def flush(self) -> None:
        if not self._raw.closed:
            self._raw.flush()


def _size(stream: IO[bytes]) -> int:
    """Return the size of a file that was written."""
    return stream.seek(0, io.SEEK_END) if stream.seekable() else stream.tell()


def _same(row: StoredFile) -> list[ColumnElement[bool]]:
    """Return the condition that a row is still as it was."""
    return [
        StoredFile.path == row.path,
        StoredFile.owner == row.owner,
        StoredFile.created_at == row.created_at,
    ]


def _is_old(row: StoredFile) -> bool:
    return datetime.now(UTC) - row.created_at > ABANDONED


def _no_such_file(path: str) -> NoSuchFileError:
    return NoSuchFileError(f"{path}: no such file in the storage")
