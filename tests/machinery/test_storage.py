"""The storage of files."""

import errno
import threading
from collections.abc import Iterator
from pathlib import Path

import fsspec
import pytest
from fastapi import FastAPI
from fastapi.testclient import TestClient

from my_project import components
from my_project import storage as storages
from my_project.errors import InvalidInputError
from my_project.jobs import service
from my_project.jobs.service import JobService
from my_project.server.app import create_app
from my_project.settings import Settings
from my_project.storage import NoSuchFileError, Storage, StorageFullError, StorageUnavailableError


@pytest.fixture
def app(request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[FastAPI]:
    """Return an API whose storage is a folder, or the parameter of the test."""
    monkeypatch.setenv("MY_PROJECT_STORAGE", getattr(request, "param", str(tmp_path / "files")))
    monkeypatch.setenv("MY_PROJECT_DATABASE", f"sqlite:///{tmp_path}/jobs.sqlite")
    components.get_settings.cache_clear()
    settings = components.get_settings()
    yield create_app(settings, components.server_components(settings))
    fsspec.filesystem("memory").store.clear()


def names(address: str) -> list[str]:
    """Return the paths of all files of a storage, including hidden ones."""
    files, root = fsspec.core.url_to_fs(address)
    return sorted(path.removeprefix(f"{root}/") for path in files.find(root))


def write(storage: Storage, path: str, content: bytes) -> None:
    """Write a file to the storage."""
    with storage.write(path) as stream:
        stream.write(content)


def test_a_file_is_replaced_completely(tmp_path: Path) -> None:
    storage = Storage(Settings(storage=str(tmp_path)))
    write(storage, "deep/a.txt", b"before")
    with storage.write("deep/a.txt") as stream:
        stream.write(b"after")
        with storage.read("deep/a.txt") as seen:
            assert seen.read() == b"before"
    with storage.read("deep/a.txt") as seen:
        assert seen.read() == b"after"
    assert names(str(tmp_path)) == ["deep/a.txt"]
    assert storage.size("deep/a.txt") == 5


def test_a_failed_write_leaves_nothing(tmp_path: Path) -> None:
    storage = Storage(Settings(storage=str(tmp_path)))
    with pytest.raises(RuntimeError, match="no luck"), storage.write("a.txt") as stream:
        stream.write(b"half")
        raise RuntimeError("no luck")
    assert names(str(tmp_path)) == []
    assert not storage.exists("a.txt")
    with pytest.raises(NoSuchFileError), storage.read("a.txt"):
        pass


@pytest.mark.parametrize(
    "path", ["", ".", "..", "a/../b", "/a", "a//b", "./a", "a/", ".a", "a/.b", "s3://a", "a\\b", "a\x00", "a" * 501]
)
def test_a_path_stays_in_the_storage(tmp_path: Path, path: str) -> None:
    storage = Storage(Settings(storage=str(tmp_path)))
    for each in (storage.read, storage.write):
        with pytest.raises(InvalidInputError, match="not a path"), each(path):
            pass


def test_errors_become_one_kind_with_one_line(tmp_path: Path) -> None:
    with pytest.raises(StorageFullError, match="cannot be used"), storages.storage_errors(str(tmp_path)):
        raise OSError(errno.ENOSPC, "No space left on device")
    with pytest.raises(StorageUnavailableError, match="nowhere://"):
        storages.open_filesystem("nowhere://files")


def test_the_wait_for_a_storage_is_limited(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    answered = threading.Event()
    storage = Storage(Settings(storage=str(tmp_path)))
    monkeypatch.setattr(storage, "_connect", answered.wait)
    monkeypatch.setattr(storages, "CONNECT_TIMEOUT_SECONDS", 0.01)
    assert "does not answer" in str(storage.problem())
    answered.set()
    monkeypatch.setattr(storages, "CONNECT_TIMEOUT_SECONDS", 60)
    assert storage.problem() is None


def test_a_full_disk_is_answered_with_507_and_leaves_nothing(app: FastAPI, tmp_path: Path) -> None:
    resource = pytest.importorskip("resource", reason="needs a system that limits the size of files")
    with TestClient(app) as client:
        soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
        resource.setrlimit(resource.RLIMIT_FSIZE, (1_000_000, hard))
        try:
            answer = client.put("/files/a.bin", content=b"x" * 2_000_000)
        finally:
            resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    assert answer.status_code == 507, answer.text
    assert names(str(tmp_path / "files")) == []


@pytest.mark.parametrize("app", ["memory://files"], indirect=True)
def test_a_file_that_cannot_be_read_is_reported_before_the_response_begins(
    app: FastAPI, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: object) -> None:
        raise FileNotFoundError("its volume is away")  # as a store answers that has just started

    with TestClient(app) as client:
        client.put("/files/a.bin", content=b"x")
        with monkeypatch.context() as patched:
            patched.setattr("fsspec.implementations.memory.MemoryFile.readinto", fail, raising=False)
            answer = client.get("/files/a.bin")
        assert (answer.status_code, answer.headers["Retry-After"]) == (503, "5")
        assert answer.json()["error"] == "the storage cannot be used: its volume is away"
        assert client.get("/files/a.bin").content == b"x"


def test_the_api_is_not_ready_while_the_storage_is_unavailable(app: FastAPI, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail() -> None:
        raise StorageUnavailableError("s3://a cannot be used: it is away")

    with TestClient(app) as client:
        app.state.engine.loading.result(timeout=60)
        jobs = next(each for each in app.state.services if isinstance(each, JobService))
        assert jobs.storage.problem() is None
        monkeypatch.setattr(jobs.storage, "_connect", fail)
        monkeypatch.setattr(service, "CACHE_TTL_SECONDS", 0)
        answer = client.get("/ready")
        assert answer.status_code == 503
        assert answer.json()["reasons"] == ["the storage s3://a cannot be used: it is away"]
