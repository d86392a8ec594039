"""Run the Compose files of generated projects as users do."""

import os
import socket
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from subprocess import CompletedProcess
from typing import Protocol

import httpx
import pytest

from tests.engine import PATIENCE, attempt, outcome
from tests.hub import Hub
from tests.image.conftest import Image

pytestmark = pytest.mark.image

OWNER = 4242


class Compose(Protocol):
    """Docker Compose in the folder of a project."""

    def __call__(self, *arguments: str) -> CompletedProcess[str]:
        """Run docker compose; never raise for its exit code."""
        ...


def compose_of(folder: Path, *files: str) -> Compose:
    """Return a function that runs docker compose in a folder."""
    chosen = [f"--file={folder / file}" for file in files]

    def compose(*arguments: str) -> CompletedProcess[str]:
        return attempt("compose", "--project-directory", folder, *chosen, "--progress=quiet", *arguments, cwd=folder)

    return compose


@pytest.fixture(scope="module")
def development(project: Callable[[str], Path], tags: list[str]) -> Iterator[tuple[Path, Compose]]:
    """Yield a project that belongs to a user other than root, with its development image built."""
    folder = project("dev")
    for path in [folder, *folder.rglob("*")]:
        os.chown(path, OWNER, OWNER)
    compose = compose_of(folder)
    tags.append("slipway-test-dev-dev")
    done = compose("build")
    assert done.returncode == 0, done.stdout + done.stderr
    yield folder, compose
    compose("down", "--volumes", "--remove-orphans", "--timeout=1")


@pytest.mark.exhaustive
def test_the_starters_own_tests_pass_in_the_development_image(development: tuple[Path, Compose]) -> None:
    folder, compose = development
    done = compose("run", "--rm", "-T", "dev", "pytest", "-q")
    assert done.returncode == 0, done.stdout[-4000:] + done.stderr[-4000:]
    assert " passed" in done.stdout
    foreign = [path for path in folder.rglob("*") if path.lstat().st_uid != OWNER]
    assert foreign == []


def test_files_written_in_the_mount_belong_to_its_owner(development: tuple[Path, Compose]) -> None:
    folder, compose = development
    done = compose("run", "--rm", "-T", "dev", "touch", "made-by-dev")
    assert done.returncode == 0, done.stderr
    made = (folder / "made-by-dev").stat()
    (folder / "made-by-dev").unlink()  # other tests share the folder
    assert (made.st_uid, made.st_gid) == (OWNER, OWNER)


def test_a_group_that_a_device_asks_for_stays(development: tuple[Path, Compose]) -> None:
    folder, _ = development
    done = outcome("slipway-test-dev-dev", "id", "-G", options=("--group-add=992", f"--volume={folder}:/app"))
    assert sorted(done.stdout.split()) == ["0", str(OWNER), "992"], done.stderr


def test_an_edit_is_seen_at_once_in_development(development: tuple[Path, Compose]) -> None:
    folder, compose = development
    source = folder / "src/my_project/__init__.py"
    before = source.read_text()
    source.write_text(f"{before}\nEDITED = 'seen'\n")
    try:
        done = compose("run", "--rm", "-T", "dev", "python", "-c", "import my_project; print(my_project.EDITED)")
    finally:
        source.write_text(before)
    assert done.stdout == "seen\n", done.stderr


def answer(url: str) -> str:
    """Return the body of a route that answers 200, else an empty string."""
    try:
        found = httpx.get(url)
    except httpx.TransportError:  # the server starts or restarts
        return ""
    return found.text if found.status_code == 200 else ""


def until(url: str, wanted: str) -> None:
    """Wait until the body of a route contains a text."""
    deadline = time.monotonic() + PATIENCE
    while wanted not in answer(url):
        assert time.monotonic() < deadline, f"{url} never answers {wanted}"
        time.sleep(0.05)


def test_development_serves_real_embeddings_and_takes_edits_and_a_debugger(
    development: tuple[Path, Compose], hub: Hub
) -> None:
    folder, compose = development
    ports = {"PORT": 0, "DEBUG_PORT": 0}
    for name in ports:
        with socket.create_server(("127.0.0.1", 0)) as free:
            ports[name] = free.getsockname()[1]
    (folder / ".env").write_text(
        f"HF_ENDPOINT={hub.endpoint}\n" + "".join(f"{name}={port}\n" for name, port in ports.items())
    )
    url = f"http://127.0.0.1:{ports['PORT']}"
    source = folder / "src/my_project/routes.py"
    before = source.read_text()
    try:
        done = compose("up", "--detach", "--wait", f"--wait-timeout={PATIENCE}")
        assert done.returncode == 0, done.stdout + done.stderr + compose("logs").stdout
        try:
            until(f"{url}/ready", "ready")
        except AssertionError as error:
            raise AssertionError(f"{error}:\n{compose('logs').stdout}") from None
        embedding = httpx.post(f"{url}/predict", json={"inputs": "A cat."}).json()
        assert len(embedding) == 384
        assert sum(value * value for value in embedding) == pytest.approx(1, abs=1e-3)
        socket.create_connection(("127.0.0.1", ports["DEBUG_PORT"]), timeout=10).close()
        source.write_text(f'{before}\n\n@router.get("/edited")\nasync def edited() -> str:\n    return "seen"\n')
        until(f"{url}/edited", "seen")
        until(f"{url}/ready", "ready")
        logged = compose("logs", "--no-log-prefix", "api").stdout
        assert "loaded" in logged
        assert '{"' not in logged, "for people, not for programs"
    finally:
        source.write_text(before)
        (folder / ".env").unlink()
        compose("stop", "--timeout=1")
    foreign = [path for path in folder.rglob("*") if path.lstat().st_uid not in (OWNER, 0)]
    assert foreign == []


def test_a_volume_is_filled_once_and_serves_without_the_hub(
    image: Callable[[str], Image], hub: Hub, request: pytest.FixtureRequest
) -> None:
    folder = image("volume").project  # compose.yaml names its image
    compose = compose_of(folder, "compose.yaml")
    request.addfinalizer(lambda: compose("--profile=*", "down", "--volumes", "--remove-orphans", "--timeout=1"))
    settings = folder / ".env"
    settings.write_text(f"HF_ENDPOINT={hub.endpoint}\n")
    compose("--profile=*", "down", "--volumes")
    already = len(hub.downloaded())
    done = compose("run", "--rm", "-T", "download")
    assert done.returncode == 0, done.stdout + done.stderr
    first = hub.downloaded()[already:]
    assert "model.safetensors" in first
    assert len(first) == len(set(first))
    done = compose("run", "--rm", "-T", "download")
    assert done.returncode == 0, done.stdout + done.stderr
    assert len(hub.downloaded()) == already + len(first)
    settings.write_text("HF_ENDPOINT=http://127.0.0.1:1\n")
    done = compose("run", "--rm", "-T", "--no-deps", "cli", "predict", "A cat.")
    assert done.returncode == 0, done.stdout + done.stderr
    assert len(hub.downloaded()) == already + len(first)
