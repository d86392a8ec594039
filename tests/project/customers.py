"""Clients of a platform with API keys, which predict, store files and submit jobs while something fails."""

import subprocess
import threading
import time
from collections import Counter, defaultdict
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any, TypeVar

import httpx

from tests.engine import PATIENCE
from tests.installed import Project

T = TypeVar("T")

PAUSE_SECONDS = 0.1
"""Pause between two rounds of a client, which stays below the quotas of the tests."""

RECORDS = 20
"""Records of the file of each job."""


def local_settings(project: Project, folder: Path) -> dict[str, str]:
    """Train a model, and return settings with which a platform keeps all that it has in a folder."""
    settings = {
        "MY_PROJECT_MODEL": str(folder / "models"),
        "MY_PROJECT_MODEL_CACHE": str(folder / "cache"),
        "MY_PROJECT_STORAGE": str(folder / "data/files"),
        "MY_PROJECT_DATABASE": f"sqlite:///{folder}/data/jobs.sqlite",
        "MY_PROJECT_API_KEYS_FILE": str(folder / "api_keys"),
        "MY_PROJECT_BROKER": "",
    }
    done = project.run("train", "--force", **settings)
    assert done.returncode == 0, done.stderr
    return settings


def make_key(project: Project, name: str, settings: dict[str, str]) -> dict[str, str]:
    """Make an API key with the project's own command, and return the header that sends it."""
    file = settings["MY_PROJECT_API_KEYS_FILE"]
    done = project.run("keys", "make", name, MY_PROJECT_API_KEYS_FILE=file)
    assert done.returncode == 0, done.stderr
    return {"Authorization": f"Bearer {done.stdout.strip()}"}


def until(holds: Callable[[], T | None], what: str, seconds: float = PATIENCE) -> T:
    """Return the first true result of `holds`; fail after some seconds."""
    deadline = time.monotonic() + seconds
    while not (found := holds()):
        assert time.monotonic() < deadline, f"never {what}"
        time.sleep(0.05)
    return found


def ended(client: httpx.Client) -> list[dict[str, Any]]:
    """Return the jobs of a client once all have ended."""

    def jobs() -> list[dict[str, Any]] | None:
        found = client.get("/jobs", params={"limit": 1000}).json()
        return found if all(each["finished_at"] for each in found) else None

    return until(jobs, "ended")


@contextmanager
def working(project: Project, settings: dict[str, str], log: Path) -> Iterator[None]:
    """Run a worker while the block runs."""
    with log.open("wb") as file:
        command = [project.command, "worker"]
        environment = project.environment | settings
        with subprocess.Popen(command, cwd=project.path, env=environment, stdout=file, stderr=file) as worker:
            try:
                yield
            finally:
                worker.terminate()
                worker.wait(timeout=60)


def source_of(name: str) -> str:
    """Return the path of the file that the jobs of a key read."""
    return f"{name}.jsonl"


class Customer:
    """A client with a key of its own. While the block runs, one thread predicts and another uses files and jobs."""

    def __init__(self, client: httpx.Client, name: str, foreign: str) -> None:
        """Use an API.

        Args:
            client: Sends requests with the key.
            name: Name of the key.
            foreign: Path of a file of somebody else.
        """
        self.client, self.name, self._foreign = client, name, foreign
        self.statuses = Counter[tuple[str, int]]()
        """Number of answers by what was asked and the status."""
        self.longest = defaultdict[str, float](float)
        """The longest time to an answer, in seconds, by what was asked."""
        self.wrong = list[str]()
        """Answers that nobody may get, whatever fails."""
        self.submitted = set[str]()
        """Ids of the jobs."""
        self._keys = 0
        self._over = threading.Event()
        self._threads = [threading.Thread(target=self._repeat, args=[each]) for each in (self._predict, self._work)]

    def __enter__(self) -> "Customer":
        for each in self._threads:
            each.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._over.set()
        for each in self._threads:
            each.join()

    def _repeat(self, act: Callable[[], None]) -> None:
        while not self._over.wait(PAUSE_SECONDS):
            try:
                act()
            except Exception as error:
                self.wrong.append(f"{act.__name__}: {type(error).__name__} {error}")

    def _ask(self, what: str, method: str, path: str, **options: Any) -> httpx.Response:
        asked = time.monotonic()
        answer = self.client.request(method, path, **options)
        self.longest[what] = max(self.longest[what], time.monotonic() - asked)
        self.statuses[what, answer.status_code] += 1
        if answer.status_code >= 500:
            ok = what != "predict" and answer.status_code == 503 and answer.headers.get("Retry-After", "").isdecimal()
            if not ok:
                self.wrong.append(f"{what}: {answer.status_code} {answer.headers} {answer.text}")
        return answer

    def _predict(self) -> None:
        answer = self._ask("predict", "POST", "/predict", json={"inputs": ["user-1"]})
        if answer.status_code != 200:
            self.wrong.append(f"predict: {answer.status_code} {answer.text}")

    def _work(self) -> None:
        key = f"{self.name}-{self._keys}"
        body = {"arguments": {"source": source_of(self.name), "target": f"out/{key}.jsonl"}}
        answer = self._ask("submit", "POST", "/jobs", json=body, headers={"Idempotency-Key": key})
        if answer.status_code == 202:
            self.submitted.add(answer.json()["id"])
            self._keys += 1
        elif answer.status_code != 503:
            self.wrong.append(f"submit: {answer.status_code} {answer.text}")
        content, path = key.encode(), f"/files/latest-{self.name}"
        stored, read = self._ask("put", "PUT", path, content=content), self._ask("get", "GET", path)
        if stored.status_code not in (201, 503) or read.status_code not in (200, 404, 503):
            self.wrong.append(f"put {stored.status_code}, get {read.status_code}: {stored.text} {read.text}")
        if stored.status_code == 201 and read.status_code != 503 and read.content != content:
            self.wrong.append(f"get: another content: {read.status_code} {read.content!r}")
        for what in ("jobs", "files"):
            listed = self._ask(f"list {what}", "GET", f"/{what}")
            if listed.status_code == 200 and {each["owner"] for each in listed.json()} - {self.name}:
                self.wrong.append(f"list {what}: somebody else's: {listed.text}")
        if (found := self._ask("foreign", "GET", f"/files/{self._foreign}")).status_code not in (404, 503):
            self.wrong.append(f"foreign: {found.status_code} {found.text}")

    def assert_all_done_once(self) -> None:
        """Check that no answer was wrong, and that each job was created once and has succeeded with all its records."""
        assert not self.wrong, self.wrong[:5]
        assert self.statuses["predict", 200], self.statuses
        found = ended(self.client)
        assert {each["id"] for each in found} == self.submitted, "none is lost, none is doubled"
        assert len(found) == len(self.submitted) == self._keys
        assert {(each["state"], each["result"]["records"]) for each in found} == {("succeeded", RECORDS)}, found
        for each in found:
            lines = self._read(each["result"]["target"]).splitlines()
            assert len(lines) == RECORDS, each

    def _read(self, path: str) -> str:
        """Return the text of a file, which is asked for again while the client has asked too often."""

        def read() -> httpx.Response | None:
            answer = self.client.get(f"/files/{path}")
            return answer if answer.status_code != 429 else None

        answer = until(read, f"allowed to read {path}")
        assert answer.status_code == 200, answer.text
        return answer.text


@contextmanager
def two_customers(url: str, keys: dict[str, dict[str, str]]) -> Iterator[tuple[Customer, Customer]]:
    """Yield two customers with the file that their jobs read, who do nothing yet.

    Args:
        url: Address of the API.
        keys: The header of each by the name of the key.
    """
    with ExitStack() as stack:
        clients = {
            name: stack.enter_context(httpx.Client(base_url=url, headers=headers, timeout=60))
            for name, headers in keys.items()
        }
        for name, client in clients.items():
            lines = '{"text": "user-1"}\n' * RECORDS
            assert client.put(f"/files/{source_of(name)}", content=lines).status_code == 201
        one, other = clients
        yield Customer(clients[one], one, source_of(other)), Customer(clients[other], other, source_of(one))


def go_on(customers: Sequence[Customer], jobs: int) -> None:
    """Wait until each customer has submitted some more jobs."""
    wanted = {each.name: len(each.submitted) + jobs for each in customers}
    until(lambda: all(len(each.submitted) >= wanted[each.name] for each in customers), "submitted")
