"""Running projects with what an attacker can reach: the API, files and jobs, with a tiny model."""

import hashlib
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.attack.neighbour import Neighbour
from tests.conftest import need
from tests.installed import Make, Server, environment, make_project, tiny_model  # noqa: F401 - fixtures, too

DATA = Path(__file__).parent / "data"

IMAGE = "iVBORw0KGgoAAAANSUhEUgAAAAgAAAAICAIAAABLbSncAAAAEUlEQVR4nGM4ISeHFTEMLQkAkL9BAbKfPiIAAAAASUVORK5CYII="
"""A picture of 8 by 8 pixels."""


KEY = "sk-of-a-test"
"""API key of the server that needs one."""


def listed(name: str) -> list[Any]:
    """Return the entries of a data file as parameters, called by their `name`."""
    entries = yaml.safe_load((DATA / name).read_text("utf-8"))
    return [pytest.param(each, id=each["name"]) for each in entries]


@pytest.fixture(scope="session")
def texts(make_project: Make, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:  # noqa: F811
    """Yield the API of a project for texts."""
    yield from _serving(make_project, tmp_path_factory.mktemp("texts"), "feature-extraction")


@pytest.fixture
def guarded(make_project: Make, tmp_path: Path) -> Iterator[Server]:  # noqa: F811
    """Yield the same API, which needs a key."""
    stored = f"test sha256:{hashlib.sha256(KEY.encode()).hexdigest()}"
    yield from _serving(make_project, tmp_path, "feature-extraction", MY_PROJECT_API_KEYS=stored)


@pytest.fixture(scope="session")
def texts_with_worker(make_project: Make, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:  # noqa: F811
    """Yield the same API with a database and a storage of its own, whose jobs a worker runs in another process."""
    folder = tmp_path_factory.mktemp("worker")
    settings = {
        "MY_PROJECT_JOBS_IN_API": "false",
        "MY_PROJECT_DATABASE": f"sqlite:///{folder}/jobs.sqlite",
        "MY_PROJECT_STORAGE": f"{folder}/files",
    }
    yield from _serving(make_project, folder, "feature-extraction", **settings)


@pytest.fixture(scope="session")
def images(make_project: Make, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:  # noqa: F811
    """Yield the API of a project for images."""
    yield from _serving(make_project, tmp_path_factory.mktemp("images"), "image-classification")


@pytest.fixture(scope="session")
def neighbour(texts: Server) -> Neighbour:
    """Return another client of the project for texts."""
    return Neighbour(texts, {"inputs": "a dog"})


@pytest.fixture(scope="session")
def neighbour_of_worker(texts_with_worker: Server) -> Neighbour:
    """Return another client of the project for texts with a worker."""
    return Neighbour(texts_with_worker, {"inputs": "a dog"})


@pytest.fixture(scope="session")
def neighbour_of_images(images: Server) -> Neighbour:
    """Return another client of the project for images."""
    return Neighbour(images, {"inputs": IMAGE})


def _serving(make: Make, folder: Path, task: str, **settings: str) -> Iterator[Server]:
    need(Path("/proc/self/clear_refs").is_file(), "needs Linux, whose /proc tells the memory of a process")
    project = make(package_manager="uv", hf_task=task, interfaces=["api", "cli", "worker"])
    settings |= tiny_model(project, folder)
    with project.served(**settings) as server:
        if "MY_PROJECT_JOBS_IN_API" not in settings:
            yield server
            return
        with subprocess.Popen([project.command, "worker"], env=project.environment | settings) as worker:
            yield server
            worker.terminate()
