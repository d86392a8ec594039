"""File storage for jobs: a local folder, or any address that fsspec supports, such as a bucket."""

import errno
import io
import os
import re
import shutil
import time
import unicodedata
import uuid
from collections.abc import Generator
from contextlib import contextmanager, suppress
from functools import cached_property
from pathlib import Path
from tempfile import NamedTemporaryFile
from typing import IO, Any

import fsspec
from fsspec.implementations.local import LocalFileSystem
from sqlalchemy.exc import SQLAlchemyError

from .base_settings import ServiceSettings
from .db.engine import DatabaseUnavailableError
from .errors import InvalidInputError
from .probe import Probe

FileSystem = Any
"""A filesystem of fsspec, which has no useful type annotations."""

CONNECT_TIMEOUT_SECONDS = 3.0
"""Maximum wait for the storage in a health check, in seconds."""

MAX_PATH_LENGTH = 500
"""Maximum length of a path below the storage, in characters."""

MAX_PATH_BYTES = 800
"""Maximum length of a path below the storage, in bytes: a bucket's keys have 1024, with the folder of the storage."""

MAX_NAME_BYTES = 255
"""Maximum length of a part of a path, in bytes: that of most filesystems."""

FORBIDDEN_CHARACTERS = frozenset('\\:*?"<>|\ufffd')
"""Characters that Windows or an address of fsspec reads as something else, or that stand for bytes that are no text."""

DEVICES = frozenset(
    [
        "CON",
        "PRN",
        "AUX",
        "NUL",
        "CONIN$",
        "CONOUT$",
        *(f"{port}{number}" for port in ("COM", "LPT") for number in range(10)),
    ]
)
"""Names of devices on Windows, in any folder and with any extension."""

PATH_ERRORS = {
    errno.EEXIST,
    errno.EILSEQ,
    errno.EINVAL,
    errno.EISDIR,
    errno.ELOOP,
    errno.ENAMETOOLONG,
    errno.ENOTDIR,
}
"""Error numbers of a path at which the storage cannot have a file, although it works."""

PART_NAME = re.compile(r"\.[0-9a-f]{32}\.part")
"""Names of the files that are being written to a folder."""

MIN_FREE_BYTES = 10_000_000
"""Free space of a disk below which it counts as full."""

PROBE_BYTES = 4096
"""Size of the file that finds out whether a folder can be written."""

READ_ONLY_ERRORS = {errno.EACCES, errno.EPERM, errno.EROFS}
"""Error numbers of a folder that must not be written."""

DISK_FULL_ERRORS = {errno.ENOSPC, errno.EDQUOT, errno.EFBIG}
"""Error numbers of a disk, quota or file size limit that is exhausted."""


class StorageUnavailableError(OSError):
    """The storage cannot be used; the message gives the reason in one line."""


class StorageFullError(StorageUnavailableError):
    """The storage has no space for the file."""


class NoSuchFileError(InvalidInputError):
    """The storage has no file at the path."""


class Storage:
    """Files below one root address.

    Every method raises StorageUnavailableError if the storage fails, and InvalidInputError if the path is not below
    the root.
    """

    def __init__(self, settings: ServiceSettings) -> None:
        """Use the root address of the settings. Raise StorageUnavailableError if fsspec does not support it."""
        self._files, self._root = open_filesystem(settings.storage)
        self._is_local = isinstance(self._files, LocalFileSystem)
        self._label = "the storage" if self._is_local else f"the storage {settings.storage}"  # clients see it
        self.probe = Probe(self._label, self._connection_problem)
        """Tells why the storage cannot be used. A folder that must not be written is no problem: see check_writable."""

    def size(self, path: str) -> int:
        """Return the size of a file in bytes."""
        with self._path_errors(path), storage_errors(self._label):
            return int(self._files.size(self._full_path(path)) or 0)

    def exists(self, path: str) -> bool:
        """Return whether there is a file at the path."""
        with self._path_errors(path), storage_errors(self._label):
            return bool(self._files.isfile(self._full_path(path)))

    @contextmanager
    def read(self, path: str) -> Generator[IO[bytes]]:
        """Open a file for reading.

        Raises:
            NoSuchFileError: There is no file at the path.
        """
        if not self.exists(path):
            raise NoSuchFileError(f"{path}: no such file in the storage")
        with self._path_errors(path), storage_errors(self._label):
            raw = self._files.open(self._full_path(path), "rb")
        with io.BufferedReader(raw) as stream:  # fsspec's own readline has no limit on the length of a line
            yield stream

    @contextmanager
    def write(self, path: str) -> Generator[IO[bytes]]:
        """Open a stream that replaces the file when the block ends, and is discarded if the block fails."""
        with self._path_errors(path), replace_file(self._files, self._full_path(path), self._label) as stream:
            yield stream

    def delete(self, path: str) -> None:
        """Delete a file.

        Raises:
            NoSuchFileError: There is no file at the path.
        """
        if not self.exists(path):
            raise NoSuchFileError(f"{path}: no such file in the storage")
        with self._path_errors(path), storage_errors(self._label):
            self._files.rm_file(self._full_path(path))

    def check_writable(self) -> None:
        """Raise StorageUnavailableError if a folder takes no file: it is full, or must not be written.

        A bucket is not asked: it has no free space that clients may know.
        """
        if not self._is_local:
            return
        probe = Path(self._root, f".{uuid.uuid4().hex}.part")
        with storage_errors(self._label), _without_name():
            Path(self._root).mkdir(parents=True, exist_ok=True)
            disk = shutil.disk_usage(self._root)
            if disk.total and disk.free < MIN_FREE_BYTES:  # some network filesystems do not know their size
                raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
            try:
                probe.write_bytes(bytes(PROBE_BYTES))
            finally:
                probe.unlink(missing_ok=True)

    def delete_abandoned(self, age_seconds: float) -> int:
        """Delete what killed processes, of any replica, have left of files in a folder. Return how many.

        Args:
            age_seconds: Time without a write after which a file that is being written counts as abandoned.
        """
        count = 0
        for folder, _, names in os.walk(self._root) if self._is_local else ():
            for part in (Path(folder, name) for name in names if PART_NAME.fullmatch(name)):
                with suppress(OSError):  # another process deletes it, or has just renamed it
                    if time.time() - part.stat().st_mtime > age_seconds:
                        part.unlink()
                        count += 1
        return count

    @cached_property
    def folds_names(self) -> bool:
        """Whether two names that differ in case or Unicode normal form are one file, as on most disks of macOS."""
        if not isinstance(self._files, LocalFileSystem):
            return False
        with storage_errors(self._label), _without_name():
            Path(self._root).mkdir(parents=True, exist_ok=True)
            with NamedTemporaryFile(prefix=".\u00e9-", suffix=".probe", dir=self._root) as probe:
                name = Path(probe.name).name
                variants = name.upper(), unicodedata.normalize("NFD", name)
                return any(Path(self._root, each).exists() for each in variants)

    def problem(self) -> str | None:
        """Return why the storage cannot be used, or None. Wait at most CONNECT_TIMEOUT_SECONDS."""
        return self.probe.problem(CONNECT_TIMEOUT_SECONDS)

    def _connection_problem(self) -> str | None:
        try:
            self._connect()
        except StorageUnavailableError as error:
            return str(error)
        return None

    def _connect(self) -> None:
        with storage_errors(self._label):
            if self._is_local:
                try:
                    Path(self._root).mkdir(parents=True, exist_ok=True)
                except OSError as error:
                    if error.errno not in READ_ONLY_ERRORS:
                        raise
            elif not self._files.exists(self._root):
                self._files.info(self._root.partition("/")[0])

    def _full_path(self, path: str) -> str:
        return f"{self._root}/{validate_path(path)}"

    @contextmanager
    def _path_errors(self, path: str) -> Generator[None]:
        """Convert the errors of a path at which no file can be to InvalidInputError, although the storage works."""
        try:
            yield
        except StorageUnavailableError as error:
            cause = error.__cause__
            is_of_path = isinstance(cause, IsADirectoryError | NotADirectoryError | FileExistsError)
            is_of_path = is_of_path or (isinstance(cause, OSError) and cause.errno in PATH_ERRORS)
            if is_of_path and (not self._is_local or Path(self._root).is_dir()):
                raise InvalidInputError(f"{path}: not a path of a file in this storage") from None
            raise


def validate_path(path: str) -> str:
    """Return the path unchanged.

    A path is valid on every system and in every store alike, so that files can move between them.

    Raises:
        InvalidInputError: The path is absolute, leaves the root, is too long, has a hidden or an empty part, or means
            something else on another system, or where Unicode is normalized.
    """
    normalized = unicodedata.normalize("NFKC", path)
    is_plain = _is_plain(path) and _is_plain(normalized) and path.count("/") == normalized.count("/")
    if not is_plain or len(path) > MAX_PATH_LENGTH or len(path.encode()) > MAX_PATH_BYTES:
        raise InvalidInputError(f"{path[:100]!r}: not a path below the storage, such as inputs/texts.jsonl")
    return path


def _is_plain(path: str) -> bool:
    return path.isprintable() and FORBIDDEN_CHARACTERS.isdisjoint(path) and all(map(_is_name, path.split("/")))


def _is_name(part: str) -> bool:
    device = part.partition(".")[0].rstrip().upper()
    is_short = 0 < len(part.encode()) <= MAX_NAME_BYTES
    return is_short and part[0] != "." and part[-1] not in ". " and device not in DEVICES


def open_filesystem(address: str) -> tuple[FileSystem, str]:
    """Return the filesystem of an address, and the path in it.

    Raises:
        StorageUnavailableError: fsspec does not support the address.
    """
    with storage_errors(address):
        return fsspec.core.url_to_fs(address, use_listings_cache=False)  # other processes write there too


@contextmanager
def replace_file(files: FileSystem, path: str, address: str) -> Generator[IO[bytes]]:
    """Open a stream that replaces a file of any filesystem when the block ends; see Storage.write."""
    if isinstance(files, LocalFileSystem):  # fsspec writes to /tmp first, where a rename may be a copy
        with _replace_local_file(Path(path), address) as stream:
            yield stream
        return
    with storage_errors(address):
        stream = files.open(path, "wb", autocommit=False)
    try:
        yield stream
        with storage_errors(address):
            stream.close()
            stream.commit()
    except BaseException:
        for end in (stream.close, stream.discard):
            with suppress(Exception):
                end()
        raise


@contextmanager
def _replace_local_file(path: Path, address: str) -> Generator[IO[bytes]]:
    temporary = path.with_name(f".{uuid.uuid4().hex}.part")
    with storage_errors(address):
        if path.is_dir():  # found now, not after the whole file has been written
            raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR), str(path))
        path.parent.mkdir(parents=True, exist_ok=True)
        stream = temporary.open("wb")
    try:
        yield stream
        with storage_errors(address):
            stream.flush()
            os.fsync(stream.fileno())
            stream.close()
            temporary.replace(path)
    finally:
        with suppress(OSError):
            stream.close()
        temporary.unlink(missing_ok=True)


@contextmanager
def _without_name() -> Generator[None]:
    """Leave the name of a file out of an error: that of a probe, which clients would read."""
    try:
        yield
    except OSError as error:
        if not error.filename:
            raise
        raise OSError(error.errno, error.strerror) from None


@contextmanager
def storage_errors(address: str) -> Generator[None]:
    """Convert every exception of a filesystem to StorageUnavailableError with one line."""
    try:
        yield
    except Exception as error:
        if isinstance(error, InvalidInputError | DatabaseUnavailableError | SQLAlchemyError | StorageUnavailableError):
            raise
        message = " ".join(str(error).split()) or type(error).__name__
        is_full = isinstance(error, OSError) and error.errno in DISK_FULL_ERRORS
        kind = StorageFullError if is_full else StorageUnavailableError
        raise kind(f"{address} cannot be used: {message}") from error
