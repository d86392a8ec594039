"""Versions of the model below one address: a folder, or whatever fsspec knows by another one, such as a bucket.

A version is a folder of its files. Its manifest, with the size and SHA-256 of each, is written last: until then nobody
sees the version, and a file that is not as its manifest says is refused.
"""

import hashlib
import re
import shutil
from collections.abc import Generator, Mapping
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path, PurePosixPath
from typing import Annotated

import fsspec
from filelock import FileLock
from fsspec.implementations.local import LocalFileSystem
from pydantic import AfterValidator, BaseModel, Field, ValidationError, computed_field

from .predictor import InvalidInput, ModelUnavailable

LATEST = "latest"
"""Stands for the newest version."""

MANIFEST = "manifest.json"

NAME = re.compile(r"\d{8}-\d{6}-[0-9a-f]{8}")
"""Names of versions: when it was published, in UTC, and the beginning of a hash over its files."""

LEFT_BEHIND = timedelta(days=1)
"""Age at which an upload without a manifest counts as broken off, and is cleared away."""

KEPT = 2
"""Versions that a cache keeps beside the one that was asked for last."""

CHUNK = 1 << 20
"""Bytes of a file that are held at once."""


def _is_below(path: str) -> str:
    parts = PurePosixPath(path).parts
    if not parts or path != "/".join(parts) or not set(parts).isdisjoint({"/", ".."}) or "\\" in path:
        raise ValueError("not a path below the version")
    return path


class StoredFile(BaseModel):
    """What a file has to be."""

    size: Annotated[int, Field(ge=0)]
    sha256: Annotated[str, Field(pattern="^[0-9a-f]{64}$")]


class Version(BaseModel):
    """What the manifest of a version says."""

    name: Annotated[str, Field(pattern=f"^{NAME.pattern}$")]
    created_at: datetime
    metrics: dict[str, float] = {}
    files: Annotated[dict[Annotated[str, AfterValidator(_is_below)], StoredFile], Field(min_length=1)]

    @computed_field
    @property
    def size(self) -> int:
        """Bytes of all its files."""
        return sum(each.size for each in self.files.values())


class Registry:
    """The versions at an address. Methods raise ModelUnavailable, with what is wrong in one line."""

    def __init__(self, address: str) -> None:
        self.address = address
        try:
            self._files, self._root = fsspec.core.url_to_fs(address, use_listings_cache=False)
        except (ValueError, ImportError) as error:
            raise ModelUnavailable(f"{address} cannot be used: {error}") from error
        self._is_local = isinstance(self._files, LocalFileSystem)

    def names(self) -> list[str]:
        """Names of the versions, the newest first."""
        with self._reached():
            return [name for name in self._folders() if self._is_whole(name)]

    def find(self, wanted: str = LATEST) -> Version:
        """The version of this name, or the newest."""
        name = self._resolve(wanted)
        with self._reached():
            manifest = self._files.cat_file(f"{self._root}/{name}/{MANIFEST}")
        try:
            version = Version.model_validate_json(manifest)
        except ValidationError as error:
            raise ModelUnavailable(f"{self.address}: the manifest of {name} is broken") from error
        if version.name != name:
            raise ModelUnavailable(f"{self.address}: the manifest of {name} is of {version.name}")
        return version

    def publish(self, folder: Path, metrics: Mapping[str, float] | None = None) -> Version:
        """Uploads the files of a folder as the newest version. What ends before its time leaves nothing to be seen."""
        files = {path.relative_to(folder).as_posix(): path for path in sorted(folder.rglob("*")) if path.is_file()}
        if not files:
            raise InvalidInput(f"{folder} holds no files")
        stored = {name: _describe(path) for name, path in files.items()}
        with self._reached():
            self._clear_away()
            version = Version(
                name=f"{self._next_moment():%Y%m%d-%H%M%S}-{_digest(stored)[:8]}",
                created_at=datetime.now(UTC),
                metrics=dict(metrics or {}),
                files=stored,
            )
            place = f"{self._root}/{version.name}"
            for name, path in files.items():
                self._put(path, f"{place}/{name}")
                if (size := self._files.size(f"{place}/{name}")) != stored[name].size:
                    raise OSError(f"{name} arrived with {size} bytes of {stored[name].size}")
            self._write(f"{place}/{MANIFEST}", version.model_dump_json(indent=2).encode())
        return version

    def fetch(self, version: Version, cache: Path) -> Path:
        """A folder of this machine with the files of the version, each checked: its own, or one in the cache.

        What a broken-off fetch has left is gone on with. Of older versions the cache keeps KEPT.
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
                with self._reached():
                    self._get(f"{version.name}/{name}", partial / name, file.size)
                try:
                    _check(partial / name, file)
                except ModelUnavailable:
                    (partial / name).unlink()  # or the next attempt would go on with it
                    raise
            partial.replace(folder)
            for old in sorted(filter(NAME.fullmatch, (each.name for each in cache.iterdir())), reverse=True)[KEPT:]:
                if old != version.name:
                    shutil.rmtree(cache / old, ignore_errors=True)
        return folder

    def delete(self, wanted: str) -> None:
        """Deletes a version, its manifest first, also one that is broken."""
        name = self._resolve(wanted)
        with self._reached():
            self._files.rm_file(f"{self._root}/{name}/{MANIFEST}")
            self._files.rm(f"{self._root}/{name}", recursive=True)

    def _resolve(self, wanted: str) -> str:
        with self._reached():
            names = [wanted] if NAME.fullmatch(wanted) else self._folders() if wanted == LATEST else []
            name = next((each for each in names if self._is_whole(each)), None)
        if name is None:
            raise ModelUnavailable(f"{self.address} holds no version {wanted}: {self._instead()}")
        return name

    def _folders(self) -> list[str]:
        try:
            found = self._files.ls(self._root, detail=False)
        except FileNotFoundError:
            return []
        return sorted(filter(NAME.fullmatch, (PurePosixPath(each).name for each in found)), reverse=True)

    def _is_whole(self, name: str) -> bool:
        return self._files.exists(f"{self._root}/{name}/{MANIFEST}")

    def _instead(self) -> str:
        names = self.names()
        more = f" and {len(names) - 5} more" if len(names) > 5 else ""
        return f"it holds {', '.join(names[:5])}{more}" if names else "make one with the command train"

    def _next_moment(self) -> datetime:
        """Now, but after the newest version, whatever the clock of who published that."""
        now = datetime.now(UTC).replace(microsecond=0)
        for name in self._folders()[:1]:
            return max(now, _moment(name) + timedelta(seconds=1))
        return now

    def _clear_away(self) -> None:
        for name in self._folders():
            if not self._is_whole(name) and datetime.now(UTC) - _moment(name) > LEFT_BEHIND:
                self._files.rm(f"{self._root}/{name}", recursive=True)

    def _put(self, path: Path, place: str) -> None:
        if self._is_local:
            self._files.makedirs(str(PurePosixPath(place).parent), exist_ok=True)
        self._files.put_file(str(path), place)

    def _get(self, name: str, target: Path, size: int) -> None:
        """Fetches a file from where an earlier attempt has ended."""
        target.parent.mkdir(parents=True, exist_ok=True)
        with target.open("ab") as stream:
            if stream.tell() >= size:
                return
            with self._files.open(f"{self._root}/{name}", "rb") as source:
                source.seek(stream.tell())
                shutil.copyfileobj(source, stream, CHUNK)

    def _write(self, place: str, content: bytes) -> None:
        """Writes a file, whole or not at all."""
        if self._is_local:  # where fsspec goes by way of /tmp, from which a move may be a copy
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
    def _reached(self) -> Generator[None]:
        try:
            yield
        except ModelUnavailable:
            raise
        except Exception as error:  # every kind of store has errors of its own
            said = " ".join(str(error).split()) or type(error).__name__
            raise ModelUnavailable(f"{self.address} cannot be used: {said}") from error


def _moment(name: str) -> datetime:
    return datetime.strptime(name[:15], "%Y%m%d-%H%M%S").replace(tzinfo=UTC)


def _describe(path: Path) -> StoredFile:
    with path.open("rb") as stream:
        digest = hashlib.file_digest(stream, "sha256")
        return StoredFile(size=stream.tell(), sha256=digest.hexdigest())


def _digest(files: Mapping[str, StoredFile]) -> str:
    lines = [f"{file.sha256}  {name}\n" for name, file in sorted(files.items())]
    return hashlib.sha256("".join(lines).encode()).hexdigest()


def _check(path: Path, expected: StoredFile) -> None:
    """Raises ModelUnavailable where a file is not what its manifest says."""
    try:
        if path.stat().st_size == expected.size and _describe(path) == expected:
            return
    except FileNotFoundError:
        raise ModelUnavailable(f"{path} is missing: take another version, or publish it anew") from None
    raise ModelUnavailable(f"{path} is not what was published: take another version, or publish it anew")
