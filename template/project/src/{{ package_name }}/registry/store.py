"""The model registry: versions of the model below one address, which is a folder or one that fsspec knows.

A version is a folder of files. Its manifest, with the size and SHA-256 of each file, is written last: a version without
a manifest does not exist, and a file that differs from its manifest is refused.
"""

import hashlib
import math
import re
import shutil
import time
from collections.abc import Generator, Iterable, Mapping
from contextlib import contextmanager, suppress
from datetime import UTC, datetime, timedelta
from pathlib import Path, PurePosixPath
from typing import Annotated

import fsspec
from filelock import FileLock
from fsspec.implementations.local import LocalFileSystem
from pydantic import AfterValidator, BaseModel, Field, ValidationError, computed_field

from ..errors import InvalidInputError, ModelUnavailableError

LATEST = "latest"
"""Selects the newest version."""

MANIFEST = "manifest.json"

NAME = re.compile(r"\d{8}-\d{6}-[0-9a-f]{8}")
"""Names of versions: the time of publication in UTC, and the first digits of a hash of the files."""

ABANDONED_AFTER = timedelta(days=1)
"""Age at which an upload without a manifest is deleted."""

CACHED_VERSIONS = 2
"""Versions that a cache keeps beside the one that was fetched last."""

CHUNK_BYTES = 1 << 20
"""Size of the pieces in which files are copied."""


def _is_below(path: str) -> str:
    parts = PurePosixPath(path).parts
    if not parts or path != "/".join(parts) or not set(parts).isdisjoint({"/", ".."}) or "\\" in path:
        raise ValueError("not a relative path inside the version")
    return path


class StoredFile(BaseModel):
    """Size and hash of a file."""

    size: Annotated[int, Field(ge=0)]
    sha256: Annotated[str, Field(pattern="^[0-9a-f]{64}$")]


class Version(BaseModel):
    """A version, as its manifest describes it."""

    name: Annotated[str, Field(pattern=f"^{NAME.pattern}$")]
    created_at: datetime
    metrics: dict[str, float] = {}
    files: Annotated[dict[Annotated[str, AfterValidator(_is_below)], StoredFile], Field(min_length=1)]

    @computed_field
    @property
    def size(self) -> int:
        """Size of all files, in bytes."""
        return sum(each.size for each in self.files.values())


class Registry:
    """The versions at an address. Every method may raise ModelUnavailableError."""

    def __init__(self, address: str) -> None:
        """Open the registry at a folder or an address that fsspec knows, such as `s3://bucket/models`."""
        self.address = address
        try:
            self._files, self._root = fsspec.core.url_to_fs(address, use_listings_cache=False)
        except (ValueError, ImportError) as error:
            raise ModelUnavailableError(f"{address} cannot be used: {error}") from error
        self._is_local = isinstance(self._files, LocalFileSystem)

    def names(self) -> list[str]:
        """Return the names of the versions, newest first."""
        with self._connected():
            return [name for name in self._folders() if self._is_complete(name)]

    def find(self, wanted: str = LATEST) -> Version:
        """Return the version of this name, or the newest for `latest`."""
        name = self._resolve(wanted)
        with self._connected():
            manifest = self._files.cat_file(f"{self._root}/{name}/{MANIFEST}")
        try:
            version = Version.model_validate_json(manifest)
        except ValidationError as error:
            raise ModelUnavailableError(f"{self.address}: the manifest of {name} is broken") from error
        if version.name != name:
            raise ModelUnavailableError(f"{self.address}: the manifest of {name} names {version.name}")
        return version

    def publish(
        self, folder: Path, metrics: Mapping[str, float] | None = None, names: Iterable[str] | None = None
    ) -> Version:
        """Upload the files of a folder as the newest version. An upload that is interrupted leaves no version.

        Args:
            folder: Where the files are.
            metrics: What the manifest is to say of the model.
            names: The files to upload, relative to the folder; by default all.

        Raises:
            InvalidInputError: The folder has no files.
        """
        paths = sorted(folder.rglob("*") if names is None else (folder / name for name in names))
        files = {path.relative_to(folder).as_posix(): path for path in paths if path.is_file()}
        if not files:
            raise InvalidInputError(f"{folder} has no files")
        stored = {name: _describe(path) for name, path in files.items()}
        with self._connected():
            self._delete_abandoned()
            version = Version(
                name=f"{self._next_moment():%Y%m%d-%H%M%S}-{_digest(stored)[:8]}",
                created_at=datetime.now(UTC),
                metrics=_finite(metrics or {}),
                files=stored,
            )
            place = f"{self._root}/{version.name}"
            for name, path in files.items():
                self._put(path, f"{place}/{name}")
                if (size := self._files.size(f"{place}/{name}")) != stored[name].size:
                    raise OSError(f"{name} has {size} bytes after the upload, expected {stored[name].size}")
            self._write(f"{place}/{MANIFEST}", version.model_dump_json(indent=2).encode())
        return version

    def fetch(self, version: Version, cache: Path) -> Path:
        """Return a local folder with the files of the version, each verified; download them to the cache if needed.

        An interrupted download is resumed, or deleted after ABANDONED_AFTER. The cache keeps the newest
        CACHED_VERSIONS.
        """
        if self._is_local:
            folder = Path(self._root, version.name)
            for name, file in version.files.items():
                _check(folder / name, file)
            return folder
        cache.mkdir(parents=True, exist_ok=True)
        folder, partial = cache / version.name, cache / f".{version.name}.part"
        with FileLock(cache / f".{version.name}.lock", mode=0o664):
            if folder.is_dir():
                for name, file in version.files.items():
                    _check(folder / name, file)
                return folder
            for name, file in version.files.items():
                with self._connected():
                    self._get(f"{version.name}/{name}", partial / name, file.size)
                try:
                    _check(partial / name, file)
                except ModelUnavailableError:
                    (partial / name).unlink()  # or the next attempt would resume it
                    raise
            partial.replace(folder)
            _delete_abandoned_downloads(cache)
            names = sorted(filter(NAME.fullmatch, (each.name for each in cache.iterdir())), reverse=True)
            for old in names[CACHED_VERSIONS:]:
                if old != version.name:
                    shutil.rmtree(cache / old, ignore_errors=True)
        return folder

    def delete(self, wanted: str) -> None:
        """Delete a version, its manifest first. Works for a version with a broken manifest too."""
        name = self._resolve(wanted)
        with self._connected():
            self._files.rm_file(f"{self._root}/{name}/{MANIFEST}")
            self._files.rm(f"{self._root}/{name}", recursive=True)

    def _resolve(self, wanted: str) -> str:
        with self._connected():
            names = [wanted] if NAME.fullmatch(wanted) else self._folders() if wanted == LATEST else []
            name = next((each for each in names if self._is_complete(each)), None)
        if name is None:
            raise ModelUnavailableError(f"{self.address} has no version {wanted}: {self._alternatives()}")
        return name

    def _folders(self) -> list[str]:
        try:
            found = self._files.ls(self._root, detail=False)
        except FileNotFoundError:
            return []
        return sorted(filter(NAME.fullmatch, (PurePosixPath(each).name for each in found)), reverse=True)

    def _is_complete(self, name: str) -> bool:
        return self._files.exists(f"{self._root}/{name}/{MANIFEST}")

    def _alternatives(self) -> str:
        names = self.names()
        more = f" and {len(names) - 5} more" if len(names) > 5 else ""
        return f"it has {', '.join(names[:5])}{more}" if names else "make one with the command train"

    def _next_moment(self) -> datetime:
        """Return the time of a new version: now, or just after the newest if its publisher's clock was ahead."""
        now = datetime.now(UTC).replace(microsecond=0)
        for name in self._folders()[:1]:
            return max(now, _moment(name) + timedelta(seconds=1))
        return now

    def _delete_abandoned(self) -> None:
        for name in self._folders():
            if not self._is_complete(name) and datetime.now(UTC) - _moment(name) > ABANDONED_AFTER:
                self._files.rm(f"{self._root}/{name}", recursive=True)

    def _put(self, path: Path, place: str) -> None:
        if self._is_local:
            self._files.makedirs(str(PurePosixPath(place).parent), exist_ok=True)
        self._files.put_file(str(path), place)

    def _get(self, name: str, target: Path, size: int) -> None:
        """Download a file; resume an interrupted download."""
        target.parent.mkdir(parents=True, exist_ok=True)
        with target.open("ab") as stream:
            if stream.tell() >= size:
                return
            with self._files.open(f"{self._root}/{name}", "rb") as source:
                source.seek(stream.tell())
                shutil.copyfileobj(source, stream, CHUNK_BYTES)

    def _write(self, place: str, content: bytes) -> None:
        """Write a file atomically."""
        if self._is_local:  # fsspec would write to /tmp first, and a move from there may be a copy
            temporary = Path(f"{place}.part")
            temporary.write_bytes(content)
            temporary.replace(place)
            return
        stream = self._files.open(place, "wb", autocommit=False)
        try:
            stream.write(content)
            stream.close()
        except BaseException:
            stream.discard()
            raise
        stream.commit()

    @contextmanager
    def _connected(self) -> Generator[None]:
        try:
            yield
        except ModelUnavailableError:
            raise
        except Exception as error:  # each file system raises errors of its own
            reason = " ".join(str(error).split()) or type(error).__name__
            raise ModelUnavailableError(f"{self.address} cannot be used: {reason}") from error


def _delete_abandoned_downloads(cache: Path) -> None:
    """Delete what killed processes have left of versions that nobody has downloaded since."""
    for partial in cache.glob(".*.part"):
        if NAME.fullmatch(partial.name[1:-5]):
            with suppress(OSError):  # another process deletes it, or has just finished it
                written = max(each.stat().st_mtime for each in (partial, *partial.rglob("*")))
                if time.time() - written > ABANDONED_AFTER.total_seconds():
                    shutil.rmtree(partial, ignore_errors=True)


def _moment(name: str) -> datetime:
    return datetime.strptime(name[:15], "%Y%m%d-%H%M%S").replace(tzinfo=UTC)


def _finite(metrics: Mapping[str, float]) -> dict[str, float]:
    """Return the metrics that JSON can hold: it has neither NaN nor infinity."""
    return {name: value for name, value in metrics.items() if math.isfinite(value)}


def _describe(path: Path) -> StoredFile:
    with path.open("rb") as stream:
        digest = hashlib.file_digest(stream, "sha256")
        return StoredFile(size=stream.tell(), sha256=digest.hexdigest())


def _digest(files: Mapping[str, StoredFile]) -> str:
    lines = [f"{file.sha256}  {name}\n" for name, file in sorted(files.items())]
    return hashlib.sha256("".join(lines).encode()).hexdigest()


def _check(path: Path, expected: StoredFile) -> None:
    """Raise ModelUnavailableError if a file differs from its manifest."""
    try:
        if path.stat().st_size == expected.size and _describe(path) == expected:
            return
    except FileNotFoundError:
        raise ModelUnavailableError(f"{path} is missing: select another version, or publish it again") from None
    raise ModelUnavailableError(f"{path} differs from what was published: select another version, or publish it again")
