"""The files that jobs read and write: a folder, or what fsspec knows by another address, such as a bucket."""

import errno
import io
import os
import uuid
from collections.abc import Generator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager, suppress
from pathlib import Path, PurePosixPath
from typing import IO, Any

import fsspec
from fsspec.implementations.local import LocalFileSystem

from .database import DatabaseUnavailable
from .predictor import InvalidInput
from .settings import Settings

Files = Any
"""A filesystem of fsspec, whose own types say less than it does."""

PATIENCE = 3.0
"""Seconds until a storage that does not answer counts as one that cannot be reached."""

FULL = {errno.ENOSPC, errno.EDQUOT, errno.EFBIG}
"""What systems say where nothing more fits."""


class StorageUnavailable(OSError):
    """The storage cannot be used; the message says why, in one line."""


class StorageFull(StorageUnavailable):
    """There is no room for a file."""


class NoSuchFile(InvalidInput):
    """The storage holds no such file."""


class Storage:
    """Files by their path below one root. Methods raise StorageUnavailable, and InvalidInput for a path outside."""

    def __init__(self, settings: Settings) -> None:
        self._address = settings.storage
        self._files, self._root = locate(settings.storage)
        self._looks = ThreadPoolExecutor(1, "storage")
        self._look: Future[None] | None = None

    def size(self, path: str) -> int:
        """Bytes of a file."""
        with reached(self._address):
            return int(self._files.size(self._place(path)) or 0)

    def holds(self, path: str) -> bool:
        """Whether there is such a file."""
        with reached(self._address):
            return bool(self._files.isfile(self._place(path)))

    @contextmanager
    def read(self, path: str) -> Generator[IO[bytes]]:
        """The content of a file. Raises NoSuchFile."""
        if not self.holds(path):
            raise NoSuchFile(f"{path}: no such file in the storage")
        with reached(self._address):
            raw = self._files.open(self._place(path), "rb")
        with io.BufferedReader(raw) as stream:  # which knows a line that is too long
            yield stream

    @contextmanager
    def replacing(self, path: str) -> Generator[IO[bytes]]:
        """A stream whose content takes the place of a file when the block ends, and vanishes if it fails."""
        with replacing(self._files, self._place(path), self._address) as stream:
            yield stream

    def delete(self, path: str) -> None:
        """Takes a file away. Raises NoSuchFile."""
        if not self.holds(path):
            raise NoSuchFile(f"{path}: no such file in the storage")
        with reached(self._address):
            self._files.rm_file(self._place(path))

    def reason(self) -> str | None:
        """Why it cannot be used; None if it can. Waits for PATIENCE at most."""
        self._look = self._look or self._looks.submit(self._reach)
        try:
            self._look.result(PATIENCE)
        except TimeoutError:
            return f"the storage {self._address} does not answer"
        except StorageUnavailable as error:
            self._look = None
            return f"the storage {error}"
        self._look = None
        return None

    def _reach(self) -> None:
        with reached(self._address):
            if isinstance(self._files, LocalFileSystem):
                Path(self._root).mkdir(parents=True, exist_ok=True)
            elif not self._files.exists(self._root):
                self._files.info(self._root.partition("/")[0])

    def _place(self, path: str) -> str:
        return f"{self._root}/{check(path)}"


def check(path: str) -> str:
    """The path. Raises InvalidInput where it is not one of a file below the root, or of one that is hidden there."""
    parts = PurePosixPath(path).parts
    is_plain = path == "/".join(parts) and path.isprintable() and len(path) <= 500
    if not parts or not is_plain or "\\" in path or ":" in path or any(part[0] in "/." for part in parts):
        raise InvalidInput(f"{path!r}: not a path below the storage, as inputs/texts.jsonl")
    return path


def locate(address: str) -> tuple[Files, str]:
    """The filesystem that an address is of, and the path in it. Raises StorageUnavailable where nobody knows it."""
    with reached(address):
        return fsspec.core.url_to_fs(address, use_listings_cache=False)  # others write there too


@contextmanager
def replacing(files: Files, place: str, address: str) -> Generator[IO[bytes]]:
    """The same as the storage's, for a file anywhere. Raises StorageUnavailable."""
    if isinstance(files, LocalFileSystem):  # whose own way leads over /tmp, and so is not always a rename
        with _beside(Path(place), address) as stream:
            yield stream
        return
    with reached(address):
        stream = files.open(place, "wb", autocommit=False)
    try:
        yield stream
        with reached(address):
            stream.close()
            stream.commit()
    except BaseException:
        for end in (stream.close, stream.discard):
            with suppress(Exception):
                end()
        raise


@contextmanager
def _beside(path: Path, address: str) -> Generator[IO[bytes]]:
    temporary = path.with_name(f".{uuid.uuid4().hex}.part")
    with reached(address):
        path.parent.mkdir(parents=True, exist_ok=True)
        stream = temporary.open("wb")
    try:
        yield stream
        with reached(address):
            stream.flush()
            os.fsync(stream.fileno())
            stream.close()
            temporary.replace(path)
    finally:
        with suppress(OSError):
            stream.close()
        temporary.unlink(missing_ok=True)


@contextmanager
def reached(address: str) -> Generator[None]:
    """Turns what a store raises, each kind its own, into StorageUnavailable with one line."""
    try:
        yield
    except Exception as error:
        if isinstance(error, InvalidInput | DatabaseUnavailable | StorageUnavailable):
            raise
        said = " ".join(str(error).split()) or type(error).__name__
        is_full = isinstance(error, OSError) and error.errno in FULL
        raise (StorageFull if is_full else StorageUnavailable)(f"{address} cannot be used: {said}") from error
