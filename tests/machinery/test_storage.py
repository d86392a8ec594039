"""The storage of files."""

import errno
import json
import os
import re
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from http.client import HTTPConnection
from pathlib import Path
from typing import Any
from urllib.parse import unquote

import fsspec
import pytest
from fastapi import FastAPI
from fastapi.testclient import TestClient
from machinery.live import BODIES, served

from my_project import components
from my_project import storage as storages
from my_project.errors import InvalidInputError, without_paths
from my_project.jobs import service
from my_project.jobs.service import JobService
from my_project.server.app import create_app
from my_project.settings import Settings
from my_project.storage import NoSuchFileError, Storage, StorageFullError, StorageUnavailableError

PATHS: dict[str, list[Any]] = json.loads(Path(__file__).parent.joinpath("data/file_paths.json").read_text())
STORAGES = pytest.mark.parametrize("app", ["memory://files", "{folder}/files"], indirect=True)


@pytest.fixture
def app(request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[FastAPI]:
    """Return an API whose storage is a folder, or the parameter of the test."""
    address = getattr(request, "param", "{folder}/files").format(folder=tmp_path)
    monkeypatch.setenv("MY_PROJECT_STORAGE", address)
    monkeypatch.setenv("MY_PROJECT_DATABASE", f"sqlite:///{tmp_path}/jobs.sqlite")
    components.get_settings.cache_clear()
    settings = components.get_settings()
    yield create_app(settings, components.server_components(settings))
    fsspec.filesystem("memory").store.clear()
    fsspec.filesystem("memory").pseudo_dirs[:] = [""]


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


@pytest.mark.parametrize("path", PATHS["encoded_twice"])
def test_a_path_is_decoded_once(tmp_path: Path, path: str) -> None:
    storage = Storage(Settings(storage=str(tmp_path)))
    write(storage, unquote(path), b"x")
    assert names(str(tmp_path)) == [unquote(path)]


def assert_no_path(answer: Any, folder: Path) -> None:
    """Check that an answer names nothing of this machine."""
    for secret in (str(folder), str(Path.cwd()), "Traceback", "/etc/", ".part"):
        assert secret not in answer.text or secret in unquote(str(answer.request.url)), answer.text


@STORAGES
def test_an_odd_path_is_refused_by_every_route(app: FastAPI, tmp_path: Path) -> None:
    with TestClient(app) as client:
        for path in PATHS["refused"] + [part * count for part, count in PATHS["too_long"]]:
            for method in ("PUT", "GET", "DELETE"):
                answer = client.request(method, f"/files/{path}", content=b"x" if method == "PUT" else None)
                assert answer.status_code == 422, (method, path, answer.text)
                assert "not a path below the storage" in answer.json()["error"]
                assert_no_path(answer, tmp_path)
        for path in PATHS["line_breaks"]:
            for method in ("PUT", "GET", "DELETE"):
                answer = client.request(method, f"/files/{path}", content=b"x" if method == "PUT" else None)
                assert answer.status_code in (404, 422), (method, path, answer.text)
        assert names(os.environ["MY_PROJECT_STORAGE"]) == []


@STORAGES
@pytest.mark.parametrize("path", PATHS["taken"])
def test_an_odd_name_is_one_of_a_file(app: FastAPI, path: str) -> None:
    with TestClient(app) as client:
        answer = client.put(f"/files/{path}", content=b"x")
        assert (answer.status_code, answer.json()) == (201, {"path": unquote(path), "size": 1})
        assert client.get(f"/files/{path}").content == b"x"
        assert names(os.environ["MY_PROJECT_STORAGE"]) == [unquote(path)]
        assert client.delete(f"/files/{path}").status_code == 204


@STORAGES
def test_a_path_of_a_folder_or_below_a_file_is_refused(app: FastAPI, tmp_path: Path) -> None:
    with TestClient(app) as client:
        assert client.put("/files/a/b", content=b"x").status_code == 201
        for path in ("a/b/c", "a/b/c/d"):
            answer = client.put(f"/files/{path}", content=b"x")
            assert answer.status_code == 422, answer.text
            assert answer.json()["error"] == f"{path}: not a path of a file in this storage"
            for method in ("GET", "DELETE"):
                assert client.request(method, f"/files/{path}").status_code == 404
        for method in ("GET", "DELETE"):
            answer = client.request(method, "/files/a")
            assert (answer.status_code, answer.json()["error"]) == (404, "a: no such file in the storage")
            assert_no_path(answer, tmp_path)
        assert client.get("/files/a/b").content == b"x"


def test_a_path_of_a_folder_is_refused_before_the_file_is_received(app: FastAPI, tmp_path: Path) -> None:
    with TestClient(app) as client:
        client.put("/files/a/b", content=b"x")

        def body() -> Iterator[bytes]:
            for _ in range(1000):
                assert names(str(tmp_path / "files")) == ["a/b"]
                yield b"x" * 1000

        answer = client.put("/files/a", content=body())
        assert (answer.status_code, answer.json()["error"]) == (422, "a: not a path of a file in this storage")


def test_a_storage_that_fails_is_answered_without_a_path(app: FastAPI, tmp_path: Path) -> None:
    (tmp_path / "files").write_text("no folder")
    with TestClient(app) as client:
        answers = [client.request(method, "/files/a/b", content=b"x") for method in ("PUT", "GET", "DELETE")]
        assert [each.status_code for each in answers] == [503, 503, 503]
        app.state.engine.loading.result(timeout=60)
        ready = client.get("/ready")
        assert ready.status_code == 503
        assert ready.json()["reasons"][0].startswith("the storage cannot be used: ")
        for each in (*answers, ready):
            assert_no_path(each, tmp_path)


@pytest.mark.parametrize(
    ("message", "seen"),
    [
        ("[Errno 13] Permission denied: '/srv/my files/a.txt'", "[Errno 13] Permission denied: 'a.txt'"),
        ("/srv/models/config.json is missing: publish it", "config.json is missing: publish it"),
        ("file:///srv/models cannot be used", "models cannot be used"),
        (r"C:\models\a.bin is missing", "a.bin is missing"),
        (r"'\\server\share\a b' is missing", "'a b' is missing"),
        ("(/srv/a, /srv/b)", "(a, b)"),
        ("http://example.org/a/b answers 503", "http://example.org/a/b answers 503"),
        ("s3://app/files cannot be used", "s3://app/files cannot be used"),
        ("inputs/a.txt: no such file", "inputs/a.txt: no such file"),
        ("3/4 of 10 m/s", "3/4 of 10 m/s"),
    ],
)
def test_absolute_paths_are_left_out_of_messages(message: str, seen: str) -> None:
    assert without_paths(message) == seen


def test_the_folder_of_the_project_is_left_out_of_messages_with_spaces() -> None:
    folder = Path(storages.__file__).parents[1]
    assert without_paths(f"cannot open {folder}/a/b.py: no") == "cannot open b.py: no"


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


@contextmanager
def full_disk(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Let the system refuse files of more than a megabyte, as large as the probe, with the error of a full disk."""
    resource: Any = pytest.importorskip("resource", reason="needs a system that limits the size of files")
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (1_000_000, hard))
    try:
        with monkeypatch.context() as patched:
            patched.setattr(storages, "PROBE_BYTES", 2_000_000)
            yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


def test_a_full_disk_refuses_jobs_and_files_while_predictions_go_on(
    app: FastAPI, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(service, "CACHE_TTL_SECONDS", 0)
    with TestClient(app) as client:
        app.state.engine.loading.result(timeout=60)
        assert client.get("/ready").json() == {"status": "ready"}
        assert "storage_writable 1.0" in client.get("/metrics").text
        with full_disk(monkeypatch):
            ready = client.get("/ready")
            assert ready.status_code == 200
            reasons = ready.json()["degraded"]
            assert list(reasons) == ["jobs", "files"]
            assert "File too large" in reasons["jobs"][0]
            assert "storage_writable 0.0" in client.get("/metrics").text
            submitted = client.post("/jobs", json={"arguments": {"source": "a.txt"}})
            stored = client.put("/files/a.bin", content=b"x" * 2_000_000)
            for each in (submitted, stored):
                assert each.status_code == 507, each.text
            for each in (ready, submitted, stored):
                assert_no_path(each, tmp_path)
            assert client.post("/predict", json={"inputs": BODIES[0]}).status_code == 200
        assert client.get("/ready").json() == {"status": "ready"}
        assert client.put("/files/a.bin", content=b"x").status_code == 201
        assert client.post("/jobs", json={"arguments": {"source": "a.txt"}}).status_code == 202
    assert names(str(tmp_path / "files"))[0] == "a.bin"
    assert not [name for name in names(str(tmp_path / "files")) if name.endswith(".part")]


def test_a_disk_with_little_space_is_full(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    storage = Storage(Settings(storage=str(tmp_path)))
    storage.check_writable()
    monkeypatch.setattr(storages, "MIN_FREE_BYTES", 1 << 62)
    with pytest.raises(StorageFullError, match="No space left on device"):
        storage.check_writable()
    assert list(tmp_path.iterdir()) == []


@pytest.mark.skipif(not Path("/sys/kernel").is_dir(), reason="needs a filesystem that nobody can write")
def test_a_folder_that_cannot_be_written_is_no_full_one() -> None:
    storage = Storage(Settings(storage="/sys/kernel"))
    with pytest.raises(StorageUnavailableError) as refused:
        storage.check_writable()
    assert not isinstance(refused.value, StorageFullError)


def test_a_bucket_is_asked_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(storages, "MIN_FREE_BYTES", 1 << 62)
    Storage(Settings(storage="memory://files")).check_writable()
    assert Storage(Settings(storage="memory://files")).delete_abandoned(0) == 0


def test_only_old_parts_are_deleted(tmp_path: Path) -> None:
    storage = Storage(Settings(storage=str(tmp_path)))
    name = "0123456789abcdef" * 2
    ours = [tmp_path / f".{name}.part", tmp_path / f"a/b/.{name}.part"]
    others = [tmp_path / f"a/{name}.part", tmp_path / "a/.x.part", tmp_path / f"a/.{name}.part.txt", tmp_path / "a/c"]
    (tmp_path / "a/b").mkdir(parents=True)
    for each in (*ours, *others):
        each.write_bytes(b"x")
    assert storage.delete_abandoned(3600) == 0
    for each in (*ours, *others):
        os.utime(each, (time.time() - 7200,) * 2)
    with storage.write("a/d") as stream:
        stream.write(b"x")
        assert storage.delete_abandoned(3600) == 2
    assert names(str(tmp_path)) == sorted(["a/d", *(str(each.relative_to(tmp_path)) for each in others)])


def test_an_upload_of_a_killed_server_is_deleted_at_the_start_of_the_next(
    app: FastAPI, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = tmp_path / "files"
    with served("-m", "my_project", "serve") as (process, lines):
        [port] = [match[1] for line in lines if (match := re.search(r"running on http://127\.0\.0\.1:(\d+)", line))]
        with closing(HTTPConnection("127.0.0.1", int(port), timeout=60)) as connection:
            connection.putrequest("PUT", "/files/a.bin")
            connection.putheader("Content-Length", "1000000")
            connection.endheaders(b"x" * 500_000)
            until(lambda: list(folder.glob(".*.part")))
            process.kill()
            process.wait(60)
    [part] = folder.iterdir()
    with TestClient(app):
        assert part.exists(), "another replica may be writing it"
    monkeypatch.setattr(service, "ABANDONED_AFTER_SECONDS", 1.0)
    monkeypatch.setenv("MY_PROJECT_JOB_TIMEOUT_SECONDS", "0.1")
    os.utime(part, (time.time() - 3600,) * 2)
    components.get_settings.cache_clear()
    settings = components.get_settings()
    with TestClient(create_app(settings, components.server_components(settings))):
        until(lambda: not part.exists())


def until(holds: Callable[[], object]) -> None:
    """Return when `holds` is true."""
    deadline = time.monotonic() + 60
    while not holds():
        assert time.monotonic() < deadline
        time.sleep(0.02)


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
        raise StorageUnavailableError("the storage s3://a cannot be used: it is away")

    with TestClient(app) as client:
        app.state.engine.loading.result(timeout=60)
        jobs = next(each for each in app.state.services if isinstance(each, JobService))
        assert jobs.storage.problem() is None
        monkeypatch.setattr(jobs.storage, "_connect", fail)
        monkeypatch.setattr(service, "CACHE_TTL_SECONDS", 0)
        answer = client.get("/ready")
        assert answer.status_code == 503
        assert answer.json()["reasons"] == ["the storage s3://a cannot be used: it is away"]
