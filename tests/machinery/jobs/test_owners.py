"""Two owners of files and jobs over the API: neither sees, changes or replaces what belongs to the other."""

import json
import time
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest
from databases import empty_database
from fastapi import FastAPI
from fastapi.testclient import TestClient
from pydantic import BaseModel

from my_project import components, job_types
from my_project.db import migrate
from my_project.db.engine import connect
from my_project.jobs.context import JobContext
from my_project.jobs.predict import PredictImagesJob, PredictJob
from my_project.jobs.service import JobService
from my_project.jobs.types import JobType
from my_project.server.api_keys import ApiKey, digest, make_key
from my_project.server.app import create_app

KEYS = {name: make_key() for name in ("me", "you", "admin", "default")}


class NoParameters(BaseModel):
    """No parameters."""


class CopyArguments(BaseModel):
    """Arguments that the API knows nothing of."""

    source: str
    target: str


class CopyJob(JobType[CopyArguments]):
    """A kind of the owner of a project."""

    name = "copy"
    arguments = CopyArguments

    def run(self, arguments: CopyArguments, context: JobContext) -> dict[str, Any]:
        """Copy a file."""
        with context.storage.read(arguments.source) as stream, context.storage.write(arguments.target) as copy:
            copy.write(stream.read())
        return {}


class FakePredictJob(PredictJob):
    """Predicts nothing, but reads the source and writes the target."""

    name = "read"

    def run(self, arguments: Any, context: JobContext) -> dict[str, Any]:
        """Copy the source to the target."""
        with context.storage.read(arguments.source) as stream:
            content = stream.read()
        target = arguments.target or f"results/{context.id}"
        with context.storage.write(target) as copy:
            copy.write(content)
        return {"target": target}


class FakeModel:
    """Returns the content of an image."""

    def parse_text(self, text: str) -> str:
        """Return the text."""
        return text

    def predict(self, inputs: Sequence[Any], parameters: Any) -> list[str]:
        """Return each input as text."""
        return [each.decode() for each in inputs]


class FakeImagesJob(PredictImagesJob):
    """Predicts with the fake model."""

    name = "images"

    def run(self, arguments: Any, context: JobContext) -> dict[str, Any]:
        """Predict from the images that the source lists."""
        vars(context)["model"] = FakeModel()
        return super().run(arguments, context)


@pytest.fixture
def files(tmp_path: Path) -> Path:
    """Return the folder of the storage."""
    return tmp_path / "files"


@pytest.fixture
def app(files: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[FastAPI]:
    """Return the API, with a database and a storage of its own."""
    with empty_database(tmp_path) as address:
        monkeypatch.setenv("MY_PROJECT_DATABASE", address)
        monkeypatch.setenv("MY_PROJECT_STORAGE", str(files))
        stored = [ApiKey(name, digest(key.encode()), name == "admin").line for name, key in KEYS.items()]
        monkeypatch.setenv("MY_PROJECT_API_KEYS", "\n".join(stored))
        kinds = [FakePredictJob(NoParameters), FakeImagesJob(NoParameters), CopyJob()]
        monkeypatch.setattr(job_types, "JOB_TYPES", kinds)
        components.get_settings.cache_clear()
        settings = components.get_settings()
        if not address.startswith("sqlite"):  # the API migrates SQLite only
            engine = connect(settings)
            migrate.migrate(engine)
            engine.dispose()
        yield create_app(settings, components.server_components(settings))


class Caller:
    """A client with an API key."""

    def __init__(self, client: TestClient, key: str) -> None:
        """Send requests with the client."""
        self._client, self._headers = client, {"Authorization": f"Bearer {key}"}

    def __call__(self, method: str, url: str, key: str = "", **options: Any) -> Any:
        """Return the answer to a request."""
        headers = {**self._headers, "Idempotency-Key": key} if key else self._headers
        return self._client.request(method, url, headers=headers, **options)

    def submit(self, kind: str, key: str = "", **arguments: Any) -> Any:
        """Return the answer to a new job."""
        return self("POST", "/jobs", key, json={"kind": kind, "arguments": arguments})

    def run(self, kind: str, **arguments: Any) -> dict[str, Any]:
        """Return a job when it has ended."""
        answer = self.submit(kind, **arguments)
        assert answer.status_code == 202, answer.text
        deadline = time.monotonic() + 60
        while True:
            job: dict[str, Any] = self("GET", answer.headers["Location"]).json()
            if job["finished_at"]:
                return job
            assert time.monotonic() < deadline, job
            time.sleep(0.02)


@pytest.fixture
def clients(app: FastAPI) -> Iterator[Mapping[str, Caller]]:
    """Return clients of the running API by name."""
    with TestClient(app) as client:
        yield {name: Caller(client, key) for name, key in KEYS.items()}


def attacks(paths: Mapping[str, str]) -> list[tuple[str, str, dict[str, Any]]]:
    """Return requests to each route of files and jobs, for a file and a job."""
    job = {"json": {"kind": "read", "arguments": {"source": paths["file"]}}}
    return [
        ("GET", f"/files/{paths['file']}", {}),
        ("PUT", f"/files/{paths['file']}", {"content": b"yours"}),
        ("DELETE", f"/files/{paths['file']}", {}),
        ("POST", "/jobs", job),
        ("GET", f"/jobs/{paths['job']}", {}),
        ("DELETE", f"/jobs/{paths['job']}", {}),
    ]


LISTS = [("GET", "/files"), ("GET", "/jobs")]


def found_routes(app: FastAPI) -> set[tuple[str, str]]:
    """Return method and path of the routes of files and jobs."""
    paths = app.openapi()["paths"]
    return {(method.upper(), path) for path in paths if path.startswith(("/files", "/jobs")) for method in paths[path]}


def test_what_belongs_to_somebody_else_is_answered_like_what_does_not_exist(
    app: FastAPI, clients: Mapping[str, Caller], files: Path
) -> None:
    me = clients["me"]
    assert me("PUT", "/files/in/a.txt", content=b"mine").status_code == 201
    job = me.run("read", source="in/a.txt")
    assert job["state"] == "succeeded" and job["owner"] == "me"
    theirs = attacks({"file": "in/a.txt", "job": job["id"]})
    nothing = attacks({"file": "in/b.txt", "job": "none"})
    tried = {(method, url.replace("in/a.txt", "{path}").replace(job["id"], "{id}")) for method, url, _ in theirs}
    assert tried | set(LISTS) == found_routes(app), "a new route needs an attack"
    for name in ("you", "default"):
        for (method, url, options), (_, missing, others) in zip(theirs, nothing, strict=True):
            answer = clients[name](method, url, **options)
            assert answer.status_code == 404, f"{method} {url}: {answer.text}"
            if method != "PUT":
                other = clients[name](method, missing, **others)
                assert answer.text == other.text.replace("in/b.txt", "in/a.txt").replace("none", job["id"])
        for method, url in LISTS:
            assert clients[name](method, url).json() == []
    assert (files / "in/a.txt").read_bytes() == b"mine"
    assert me("GET", f"/jobs/{job['id']}").json() == job
    assert [each["path"] for each in me("GET", "/files").json()] == ["in/a.txt", job["result"]["target"]]
    listed = clients["admin"]("GET", "/files", params={"prefix": "in/"}).json()
    assert [(each["path"], each["owner"], each["size"]) for each in listed] == [("in/a.txt", "me", 4)]
    for method, url, options in theirs:
        assert clients["admin"](method, url, **options).status_code != 404


def test_a_job_replaces_no_file_of_somebody_else(clients: Mapping[str, Caller], files: Path) -> None:
    me, you = clients["me"], clients["you"]
    me("PUT", "/files/a.txt", content=b"mine")
    you("PUT", "/files/b.txt", content=b"yours")
    refused = you.submit("read", source="b.txt", target="a.txt")
    assert (refused.status_code, refused.json()["error"]) == (404, "a.txt: no such file in the storage")
    for target, source in (("a.txt", "b.txt"), ("c.txt", "a.txt")):
        failed = you.run("copy", source=source, target=target)
        assert (failed["state"], failed["failures"]) == ("failed", 1)
        assert failed["error"] == "a.txt: no such file in the storage"
    assert (files / "a.txt").read_bytes() == b"mine" and not (files / "c.txt").exists()
    done = clients["admin"].run("copy", source="a.txt", target="d.txt")
    assert done["state"] == "succeeded"
    assert clients["admin"]("GET", "/files/d.txt").content == b"mine"
    assert me("GET", "/files/d.txt").status_code == 404


def test_a_table_of_images_names_no_file_of_somebody_else(clients: Mapping[str, Caller], files: Path) -> None:
    clients["me"]("PUT", "/files/mine.png", content=b"mine")
    you = clients["you"]
    you("PUT", "/files/yours.png", content=b"yours")
    odd = ["x/../mine.png", "./mine.png", "mine.png/", "MINE.png", "gone.png", f"{files}/mine.png"]
    paths = ["yours.png", "mine.png", *odd]
    you("PUT", "/files/table.jsonl", content="\n".join(json.dumps({"text": path}) for path in paths))
    done = you.run("images", source="table.jsonl")
    assert done["result"] == {"target": f"results/{done['id']}.jsonl", "records": len(paths), "failed": len(paths) - 1}
    lines = you("GET", f"/files/{done['result']['target']}").text.splitlines()
    assert [json.loads(line).get("prediction") for line in lines] == ["yours", *[None] * (len(paths) - 1)]
    assert json.loads(lines[1])["error"] == "mine.png: no such file in the storage"
    assert clients["me"]("GET", f"/files/{done['result']['target']}").status_code == 404


def test_an_idempotency_key_means_a_job_of_its_own_for_each_owner(clients: Mapping[str, Caller]) -> None:
    jobs = {}
    for name in ("me", "you"):
        clients[name]("PUT", f"/files/{name}.txt", content=b"x")
        first, again = (clients[name].submit("read", "monday", source=f"{name}.txt") for _ in range(2))
        assert first.status_code == again.status_code == 202
        assert first.json()["id"] == again.json()["id"]
        jobs[name] = first.json()["id"]
    assert jobs["me"] != jobs["you"]
    conflict = clients["me"].submit("copy", "monday", source="a", target="b")
    assert conflict.status_code == 409
    clients["me"]("DELETE", "/files/me.txt")
    again = clients["me"].submit("read", "monday", source="me.txt")
    assert (again.status_code, again.json()["id"]) == (202, jobs["me"]), "a retry needs no source"


@pytest.mark.parametrize("path", ["x/../a.txt", "%2e/a.txt", "a.txt/", "a.txt%00", "A.TXT", "a%CC%88.txt", "a.txt?b"])
def test_no_variant_of_a_path_reaches_a_file_of_somebody_else(
    clients: Mapping[str, Caller], files: Path, path: str
) -> None:
    for name in ("a.txt", "\u00e4.txt"):
        clients["me"]("PUT", f"/files/{name}", content=b"mine")
    for method, content in (("GET", None), ("PUT", b"yours"), ("DELETE", None)):
        answer = clients["you"](method, f"/files/{path}", content=content)
        assert b"mine" not in answer.content
    for source in (path, f"/{path}", f"{files}/a.txt", "file:///a.txt"):
        assert clients["you"].submit("read", source=source).status_code in (202, 404, 422)
    assert {(files / name).read_bytes() for name in ("a.txt", "\u00e4.txt")} == {b"mine"}


def test_files_and_jobs_of_the_time_before_keys_belong_to_default(clients: Mapping[str, Caller], files: Path) -> None:
    files.mkdir(parents=True)
    (files / "old.txt").write_bytes(b"old")
    assert clients["me"]("GET", "/files/old.txt").status_code == 404
    assert clients["me"]("PUT", "/files/old.txt", content=b"new").status_code == 404
    assert clients["me"].submit("read", source="old.txt").status_code == 404
    assert clients["default"]("GET", "/files/old.txt").content == b"old"
    assert clients["default"].run("read", source="old.txt", target="old.txt")["state"] == "succeeded"
    assert clients["default"]("GET", "/files").json()[0]["path"] == "old.txt"
    assert clients["default"]("DELETE", "/files/old.txt").status_code == 204


@pytest.mark.parametrize("query", ["limit=0", "limit=1001", "prefix=%00", f"after={'a' * 501}"])
def test_an_invalid_query_is_refused(clients: Mapping[str, Caller], query: str) -> None:
    answer = clients["me"]("GET", f"/files?{query}")
    assert answer.status_code == 422
    assert answer.json()["error"].startswith(query.partition("=")[0])


def test_an_upload_of_unknown_length_stops_at_the_quota(
    clients: Mapping[str, Caller], files: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(components.get_settings(), "quota_file_bytes", 100)
    me = clients["me"]
    for content in (b"x" * 101, iter([b"x" * 60, b"x" * 41])):
        refused = me("PUT", "/files/a.txt", content=content)
        assert (refused.status_code, "quota of 100 bytes" in refused.json()["error"]) == (507, True)
    assert me("GET", "/files").json() == [] and [*files.rglob("*.txt")] == []
    assert me("PUT", "/files/a.txt", content=iter([b"x" * 40, b"x" * 40])).status_code == 201
    failed = me.run("copy", source="a.txt", target="b.txt")
    assert (failed["state"], failed["failures"]) == ("failed", 1) and "quota of 100 bytes" in failed["error"]
    assert clients["admin"]("PUT", "/files/c.txt", content=b"x" * 101).status_code == 201


def test_jobs_beyond_the_quota_are_refused_with_the_time_to_wait(
    app: FastAPI, clients: Mapping[str, Caller], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(components.get_settings(), "quota_waiting_jobs", 2)
    next(each for each in app.state.services if isinstance(each, JobService))._stop()  # so that jobs wait
    answers = [clients["me"].submit("copy", source="a", target="b") for _ in range(3)]
    assert [each.status_code for each in answers] == [202, 202, 429]
    assert int(answers[2].headers["Retry-After"]) > 0
    assert clients["you"].submit("copy", source="a", target="b").status_code == 202
