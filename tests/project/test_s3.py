"""A project with files and model versions in a bucket of SeaweedFS, the server of its compose.yaml."""

import json
import os
import re
import signal
import sqlite3
import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, closing, contextmanager
from pathlib import Path
from typing import Any, TypeVar

import httpx
import pytest

from tests.conftest import rows
from tests.engine import PATIENCE
from tests.installed import Make, Project, tiny_model
from tests.project.customers import make_key
from tests.project.test_checks import BUCKET, TRAINED
from tests.project.test_real_model import closed_port, one_line
from tests.relay import relay
from tests.seaweed import Seaweed, seaweed

pytestmark = pytest.mark.project

T = TypeVar("T")

LARGE = 200_000_000
"""Bytes of a file that is large enough to interrupt its transfer."""


@pytest.fixture(scope="module")
def project(make_project: Make) -> Project:
    """Return a platform with a bucket."""
    return make_project(**BUCKET)


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Seaweed]:
    """Yield a running server."""
    with seaweed(tmp_path_factory.mktemp("seaweed")) as server:
        yield server


@pytest.fixture
def settings(project: Project, server: Seaweed, tmp_path: Path) -> dict[str, str]:
    """Create a bucket for the test and return the settings that select it."""
    bucket = re.sub(r"[^a-z0-9]", "-", tmp_path.name)
    settings = server.settings | {
        "MY_PROJECT_MODEL": f"s3://{bucket}/models",
        "MY_PROJECT_MODEL_CACHE": str(tmp_path / "cache"),
        "MY_PROJECT_STORAGE": f"s3://{bucket}/files",
        "MY_PROJECT_DATABASE": f"sqlite:///{tmp_path}/jobs.sqlite",
    }
    done = project.run("bucket", **settings)
    assert (done.returncode, one_line(done.stderr)) == (0, f"created the bucket {bucket}")
    return settings


@pytest.fixture(scope="module")
def large(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a folder with a file of LARGE bytes."""
    folder = tmp_path_factory.mktemp("large")
    (folder / "weights.bin").write_bytes(os.urandom(LARGE))
    return folder


def ok(done: subprocess.CompletedProcess[str]) -> str:
    """Return the output of a command, which must have succeeded."""
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout.strip()


def versions(project: Project, settings: dict[str, str]) -> list[dict[str, Any]]:
    """Return the versions in the model registry, the newest first."""
    return json.loads(ok(project.run("models", "--json", **settings)))


def killed(project: Project, *arguments: str | Path, when: Callable[[], bool], **settings: str) -> None:
    """Run a command and kill it as soon as `when` is true."""
    with subprocess.Popen(
        [project.command, *arguments], env=project.environment | settings, cwd=project.path, stderr=subprocess.DEVNULL
    ) as process:
        deadline = time.monotonic() + PATIENCE
        while not when():
            assert process.poll() is None, "it has ended before it was killed"
            assert time.monotonic() < deadline
            time.sleep(0.005)
        process.kill()
    assert process.returncode == -signal.SIGKILL


def test_versions_live_in_the_bucket(project: Project, settings: dict[str, str]) -> None:
    ok(project.run("bucket", **settings))  # it exists already
    first, second = (ok(project.run("train", "--force", **settings)) for _ in range(2))
    found = versions(project, settings)
    assert [each["name"] for each in found] == [second, first]
    assert found[0]["metrics"]["rmse"] > 0
    folder = Path(ok(project.run("models", "latest", "--download", **settings)))
    assert folder.name == second
    assert sum(file.stat().st_size for file in folder.iterdir()) == found[0]["size"]
    assert "item" in ok(project.run("predict", "user-1", **settings))
    with project.served(**settings, MY_PROJECT_MODEL_VERSION=first) as api:
        assert httpx.get(f"{api.url}/health").json()["revision"] == first
    ok(project.run("models", second, "--delete", **settings))
    assert [each["name"] for each in versions(project, settings)] == [first]


def test_the_weights_of_a_model_of_the_hub_live_in_the_bucket(
    make_project: Make, server: Seaweed, tmp_path: Path
) -> None:
    project = make_project(**TRAINED)
    settings = server.settings | {
        "MY_PROJECT_VERSIONS": "s3://weights/models",
        "MY_PROJECT_MODEL_CACHE": str(tmp_path / "cache"),
        "HF_ENDPOINT": closed_port(),
    }
    ok(project.run("bucket", **settings))
    name = ok(project.run("seed", **settings, **tiny_model(project, tmp_path / "model")))
    assert ok(project.run("seed", **settings)) == name, "nobody is asked for what is there"
    with project.served(**settings) as api:
        assert httpx.get(f"{api.url}/health").json()["revision"] == name
        assert httpx.post(f"{api.url}/predict", json={"inputs": "a happy"}, timeout=60).status_code == 200


def test_an_upload_that_is_killed_is_never_seen(
    project: Project, server: Seaweed, settings: dict[str, str], large: Path
) -> None:
    before = server.held()
    killed(project, "models", "--upload", large, when=lambda: server.held() > before + LARGE / 10, **settings)
    assert versions(project, settings) == []
    name = ok(project.run("models", "--upload", large, **settings))
    assert [each["name"] for each in versions(project, settings)] == [name]


def test_a_download_that_is_killed_is_gone_on_with(
    project: Project, server: Seaweed, settings: dict[str, str], large: Path, tmp_path: Path
) -> None:
    name = ok(project.run("models", "--upload", large, **settings))
    part = tmp_path / f"cache/.{name}.part/weights.bin"

    def begun() -> bool:
        return part.exists() and part.stat().st_size > LARGE / 4

    killed(project, "models", name, "--download", when=begun, **settings)
    left = LARGE - part.stat().st_size
    with relay(server.endpoint) as counted:
        endpoint = {"AWS_ENDPOINT_URL_S3": f"http://127.0.0.1:{counted.port}"}
        folder = Path(ok(project.run("models", name, "--download", **settings | endpoint)))
    assert (folder / "weights.bin").read_bytes() == (large / "weights.bin").read_bytes()
    assert left <= counted.sent < left + LARGE / 10


def test_a_file_that_has_changed_is_refused(project: Project, settings: dict[str, str]) -> None:
    name = ok(project.run("train", **settings))
    spoil = """
import sys, fsspec
files, place = fsspec.core.url_to_fs(sys.argv[1])
content = bytearray(files.cat_file(place))
content[100] ^= 1
files.pipe_file(place, bytes(content))
"""
    place = f"{settings['MY_PROJECT_MODEL']}/{name}/recommender.joblib"
    python = [project.path / ".venv/bin/python", "-c", spoil, place]
    subprocess.run(python, env=project.environment | settings, check=True)
    done = project.run("models", name, "--download", **settings)
    assert done.returncode == 1
    assert "recommender.joblib differs from what was published" in one_line(done.stderr)


@pytest.fixture(scope="module")
def full(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Seaweed]:
    """Yield a server that requires more free disk space than there is."""
    with seaweed(tmp_path_factory.mktemp("full"), "-volume.minFreeSpace=1000TiB") as server:
        yield server


@pytest.mark.parametrize(
    "broken", rows(["keys", "unreachable", "full", "no bucket"], ["keys", "unreachable", "no bucket"])
)
def test_a_bucket_that_cannot_be_used_is_one_line_and_nothing_is_published(
    project: Project, settings: dict[str, str], full: Seaweed, tmp_path: Path, broken: str
) -> None:
    wrong = tmp_path / "wrong"
    wrong.write_text("[default]\naws_access_key_id = app\naws_secret_access_key = wrong")
    changes = {
        "keys": {"AWS_SHARED_CREDENTIALS_FILE": str(wrong)},
        "unreachable": {"AWS_ENDPOINT_URL_S3": closed_port()},
        "full": full.settings,
        "no bucket": {"MY_PROJECT_MODEL": "s3://Not_A_Bucket/models"},
    }[broken]
    started = time.monotonic()
    done = project.run("train", **settings | changes)
    assert done.returncode == 1, done.stdout
    error = done.stderr.strip().splitlines()[-1]  # the lines before are progress
    assert re.match(r"error: s3://\S+/models cannot be used: \S", error)
    assert "Traceback" not in done.stderr and "wrong" not in done.stderr
    assert time.monotonic() - started < 150
    if broken == "full":
        found = project.run("models", "--json", **settings | changes)
        assert found.stdout.strip() in ("[]", "")
    assert versions(project, settings) == []


def ready(url: str) -> list[str]:
    """Return the reasons why an API is not ready."""
    return httpx.get(f"{url}/ready", timeout=30).json().get("reasons", [])


def job(url: str, source: str) -> dict[str, Any]:
    """Submit a job and return it once it has ended."""
    asked = httpx.post(f"{url}/jobs", json={"arguments": {"source": source}}).raise_for_status().json()

    def ended() -> dict[str, Any] | None:
        found = httpx.get(f"{url}/jobs/{asked['id']}").raise_for_status().json()
        return found if found["state"] in ("succeeded", "failed", "cancelled") else None

    return until(ended)


def test_files_of_jobs_live_in_the_bucket(project: Project, settings: dict[str, str]) -> None:
    ok(project.run("train", **settings))
    lines = "".join(json.dumps({"text": f"user-{number % 200}"}) + "\n" for number in range(5000))
    with project.served(**settings) as api:
        sent = httpx.put(f"{api.url}/files/in/a.jsonl", content=lines.encode())
        assert sent.status_code == 201, sent.text
        done = job(api.url, "in/a.jsonl")
        assert done["state"] == "succeeded", done
        result = httpx.get(f"{api.url}/files/{done['result']['target']}")
        assert len(result.text.splitlines()) == done["result"]["records"] == 5000
        assert httpx.get(f"{api.url}/files/in/b.jsonl").status_code == 404
        assert job(api.url, "in/b.jsonl")["error"] == "in/b.jsonl: no such file in the storage"
        sent = httpx.put(f"{api.url}/files/large", content=b"x" * 120_000_000, timeout=60)
        assert sent.json() == {"path": "large", "size": 120_000_000}
        with httpx.stream("GET", f"{api.url}/files/large", timeout=60) as answer:
            assert sum(map(len, answer.iter_bytes())) == 120_000_000
        assert ready(api.url) == []


def test_a_bucket_that_goes_makes_the_api_not_ready_until_it_is_back(
    project: Project, server: Seaweed, settings: dict[str, str]
) -> None:
    ok(project.run("train", **settings))
    ok(project.run("doctor", **settings))
    with relay(server.endpoint) as there:
        mine = settings | {"AWS_ENDPOINT_URL_S3": f"http://127.0.0.1:{there.port}"}
        with project.served(**mine) as api:
            assert ready(api.url) == []
            there.end()
            [reason] = until(lambda: ready(api.url))
            assert reason.startswith("the storage s3://")
            assert httpx.put(f"{api.url}/files/a", content=b"x", timeout=60).status_code == 503
            doctor = project.run("doctor", "--json", **mine)
            assert doctor.returncode == 1 and "correct its address" in doctor.stdout
            with relay(server.endpoint, there.port):
                until(lambda: ready(api.url) == [])
                assert httpx.put(f"{api.url}/files/a", content=b"x").status_code == 201


def until(holds: Callable[[], T | None]) -> T:
    """Return the first true result of `holds`; fail after PATIENCE."""
    deadline = time.monotonic() + PATIENCE
    while not (answer := holds()):
        assert time.monotonic() < deadline
        time.sleep(0.1)
    return answer


def test_what_stands_in_the_storage_is_whole_whatever_is_killed(
    project: Project, settings: dict[str, str], tmp_path: Path
) -> None:
    """Kill a backup of many rows while it writes, and a restore from the bucket."""
    ok(project.run("migrate", **settings))
    with closing(sqlite3.connect(tmp_path / "jobs.sqlite")) as connection, connection:
        connection.execute(
            "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 30000)"
            "INSERT INTO jobs (id, kind, arguments, state, attempt, failures, done, created_at, due_at) "
            "SELECT hex(randomblob(18)), 'predict', json_object('a', hex(randomblob(200))), 'queued', 0, 0, 0, now, now"
            " FROM n, (SELECT '2026-01-01 00:00:00.000000' AS now)"
        )
    folder = tmp_path / "backups"
    file = folder / "jobs.jsonl.gz"

    def begun() -> bool:
        return any(each.stat().st_size > 1_000_000 for each in folder.glob(".*.part"))

    killed(project, "backup", file, when=begun, **settings)
    assert not file.exists()
    ok(project.run("backup", file, **settings))
    place = settings["MY_PROJECT_STORAGE"].replace("/files", "/backups/jobs.jsonl.gz")
    ok(project.run("backup", place, **settings))
    other = settings | {"MY_PROJECT_DATABASE": f"sqlite:///{tmp_path}/other.sqlite"}
    done = project.run("restore", place, **other)
    assert (done.returncode, "jobs: 30,000 rows" in done.stderr) == (0, True), done.stderr
    ok(project.run("backup", folder / "again.jsonl.gz", **other))
    assert (folder / "again.jsonl.gz").read_bytes() == file.read_bytes()
    killed(project, "restore", place, "--force", when=lambda: wal(tmp_path / "other.sqlite") > 5_000_000, **other)
    ok(project.run("backup", folder / "after.jsonl.gz", **other))
    assert (folder / "after.jsonl.gz").read_bytes() == file.read_bytes()


def wal(database: Path) -> int:
    """Return the size of an SQLite database's write-ahead log, in bytes."""
    log = Path(f"{database}-wal")
    return log.stat().st_size if log.exists() else 0


@contextmanager
def two_owners(project: Project, settings: dict[str, str], folder: Path) -> Iterator[list[httpx.Client]]:
    """Yield a client of the API for each of two keys."""
    ok(project.run("train", **settings))
    settings = settings | {"MY_PROJECT_API_KEYS_FILE": str(folder / "api_keys")}
    keys = [make_key(project, name, settings) for name in ("ann", "bob")]
    with project.served(**settings) as api, ExitStack() as stack:
        yield [
            stack.enter_context(httpx.Client(base_url=api.url, headers=headers, timeout=PATIENCE)) for headers in keys
        ]


def test_files_of_two_owners_in_one_bucket_stay_apart(
    project: Project, settings: dict[str, str], tmp_path: Path
) -> None:
    with two_owners(project, settings, tmp_path) as (ann, bob):
        lines = b'{"text": "user-1"}\n'
        for client, name in ((ann, "ann"), (bob, "bob")):
            assert client.put(f"/files/in/{name}.jsonl", content=lines).status_code == 201
            assert [each["path"] for each in client.get("/files").json()] == [f"in/{name}.jsonl"]
        theirs = "/files/in/ann.jsonl"
        asked = [bob.get(theirs), bob.put(theirs, content=b"bobs"), bob.delete(theirs)]
        for arguments in (
            {"source": "in/ann.jsonl"},
            {"source": "in/bob.jsonl", "target": "in/ann.jsonl"},
        ):
            asked.append(bob.post("/jobs", json={"arguments": arguments}))
        asked.append(bob.get("/files/in/nobodys.jsonl"))
        assert [each.status_code for each in asked] == [404] * len(asked)
        assert asked[0].json() == {"error": "in/ann.jsonl: no such file in the storage"}
        assert ann.get(theirs).content == lines
        assert ann.put(theirs, content=b"anns").status_code == 201
        assert ann.delete(theirs).status_code == 204
        assert bob.put(theirs, content=b"bobs").status_code == 201, "the path is free again"
        assert (ann.get(theirs).status_code, bob.get(theirs).content) == (404, b"bobs")


@pytest.mark.exhaustive
def test_of_two_owners_who_upload_to_one_path_of_a_bucket_at_once_one_has_it(
    project: Project, settings: dict[str, str], tmp_path: Path
) -> None:
    with two_owners(project, settings, tmp_path) as owners, ThreadPoolExecutor(8) as pool:
        for number in range(10):
            path, barrier = f"/files/shared/{number}", threading.Barrier(8)

            def upload(each: int, path: str = path, barrier: threading.Barrier = barrier) -> tuple[int, int]:
                barrier.wait(60)
                return each % 2, owners[each % 2].put(path, content=bytes([each]) * (each + 1)).status_code

            answers = list(pool.map(upload, range(8)))
            [winner] = {owner for owner, status in answers if status == 201}
            assert {status for owner, status in answers if owner == winner} == {201}
            assert {status for owner, status in answers if owner != winner} == {404}
            content = owners[winner].get(path).content
            listed = {each["path"]: each["size"] for each in owners[winner].get("/files?prefix=shared/").json()}
            assert listed[path.removeprefix("/files/")] == len(content)
            assert content == bytes([content[0]]) * (content[0] + 1) and content[0] % 2 == winner
            assert owners[1 - winner].get(path).status_code == 404
