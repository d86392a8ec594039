"""The files that jobs read and write: a folder, or what fsspec knows by another address, such as a bucket."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import PurePosixPath
from typing import IO

import fsspec

from .predictor import InvalidInput
from .settings import Settings


class Storage:
    """Files by their path below one root. Methods raise InvalidInput for a path that leaves it, and OSError."""

    def __init__(self, settings: Settings) -> None:
        self._files, self._root = fsspec.core.url_to_fs(settings.storage, auto_mkdir=True)

    def size(self, path: str) -> int:
        """Bytes of a file."""
        return int(self._files.size(self._place(path)) or 0)

    @contextmanager
    def read(self, path: str) -> Iterator[IO[bytes]]:
        """The content of a file."""
        place = self._place(path)
        if not self._files.isfile(place):
            raise InvalidInput(f"{path}: no such file in the storage")
        with self._files.open(place, "rb") as stream:
            yield stream

    @contextmanager
    def replacing(self, path: str) -> Iterator[IO[bytes]]:
        """A stream whose content takes the place of a file when the block ends, and vanishes if it fails."""
        stream = self._files.open(self._place(path), "wb", autocommit=False)
        try:
            yield stream
            stream.close()
        except BaseException:
            stream.close()
            stream.discard()
            raise
        stream.commit()

    def _place(self, path: str) -> str:
        check(path)
        return f"{self._root}/{path}"


def check(path: str) -> str:
    """The path. Raises InvalidInput where it is not one of a file below the root."""
    parts = PurePosixPath(path).parts
    if not parts or path != "/".join(parts) or not set(parts).isdisjoint({"/", ".."}) or not path.isprintable():
        raise InvalidInput(f"{path!r}: not a path below the storage, as inputs/texts.jsonl")
    if "\\" in path or ":" in path or len(path) > 500:
        raise InvalidInput(f"{path!r}: not a path below the storage, as inputs/texts.jsonl")
    return path
