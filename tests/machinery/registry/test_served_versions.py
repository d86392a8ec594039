"""Hot reload: the API takes another version of the model while it answers."""

import json
import urllib.request
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from threading import Event
from time import monotonic

import pytest
from example import make_model
from machinery.live import BODIES, live

from my_project import components
from my_project.inference import metrics
from my_project.registry import hot_reload
from my_project.registry.store import Registry
from my_project.settings import Settings

ADDRESS_VARIABLE = "MY_PROJECT_VERSIONS" if "versions" in Settings.model_fields else "MY_PROJECT_MODEL"


@pytest.fixture
def files(tmp_path: Path) -> Path:
    """Return a folder with the files of a version."""
    (tmp_path / "files").mkdir()
    return make_model(tmp_path / "files")


@pytest.fixture
def registry(tmp_path: Path, files: Path, monkeypatch: pytest.MonkeyPatch) -> Registry:
    """Return a registry with a version, which the API polls all the time."""
    registry = Registry(str(tmp_path / "models"))
    registry.publish(files)
    monkeypatch.setenv(ADDRESS_VARIABLE, registry.address)
    monkeypatch.setenv("MY_PROJECT_MODEL_POLL_SECONDS", "0.05")
    monkeypatch.setenv("MY_PROJECT_CACHE_SIZE", "10")
    components.get_settings.cache_clear()
    return registry


def ask(url: str) -> int:
    """Request a prediction and return the status."""
    body = json.dumps({"inputs": BODIES}).encode()
    request = urllib.request.Request(f"{url}/predict", body, {"Content-Type": "application/json"})
    with urllib.request.urlopen(request, timeout=60) as response:
        return response.status


def revision(url: str) -> str | None:
    """Return the version that is served."""
    with urllib.request.urlopen(f"{url}/health", timeout=60) as response:
        return json.load(response)["revision"]


def wait_for(condition: Callable[[], bool]) -> None:
    """Wait until the condition holds, for at most a minute."""
    deadline = monotonic() + 60
    while not condition():
        assert monotonic() < deadline


def test_a_new_version_is_served_without_losing_a_request(registry: Registry, files: Path) -> None:
    stopped = Event()

    def ask_until_stopped(url: str) -> list[int]:
        statuses = []
        while not stopped.is_set():
            statuses.append(ask(url))
        return statuses

    with live() as url, ThreadPoolExecutor() as pool:
        first = registry.find().name
        assert revision(url) == first
        clients = [pool.submit(ask_until_stopped, url) for _ in range(4)]
        try:
            for _ in range(5):
                version = registry.publish(files)
                wait_for(lambda name=version.name: revision(url) == name)
        finally:
            stopped.set()
        statuses = [status for each in clients for status in each.result()]
        loaded = {each.labels["revision"]: each.value for found in metrics.MODEL.collect() for each in found.samples}
    assert (loaded[first], loaded[version.name]) == (0, 1)
    assert len(statuses) > 20
    assert set(statuses) == {200}


def test_a_broken_version_is_skipped_and_a_deleted_one_replaced(
    registry: Registry, files: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    before = registry.find().name
    (tmp_path / "broken").mkdir()
    (tmp_path / "broken/config.json").write_bytes(b"not a model")
    with live() as url:
        broken = registry.publish(tmp_path / "broken")
        wait_for(lambda: any(each.name == hot_reload.logger.name for each in caplog.records))
        assert (revision(url), ask(url)) == (before, 200)
        newer = registry.publish(files)
        wait_for(lambda: revision(url) == newer.name)
        registry.delete(newer.name)
        registry.delete(broken.name)
        wait_for(lambda: revision(url) == before)
        assert ask(url) == 200


@pytest.mark.skipif("versions" not in Settings.model_fields, reason="this project has no base model")
def test_the_base_model_is_served_while_there_is_no_version(registry: Registry, files: Path) -> None:
    registry.delete("latest")
    with live() as url:
        assert (revision(url), ask(url)) == (None, 200)
        version = registry.publish(files)
        wait_for(lambda: revision(url) == version.name)
        registry.delete("latest")
        wait_for(lambda: revision(url) is None)
        assert ask(url) == 200
