"""Compose files of generated projects, run as people run them."""

import os
from collections.abc import Callable, Iterator
from pathlib import Path
from subprocess import CompletedProcess

import pytest

from tests.engine import attempt
from tests.hub import Hub
from tests.image.conftest import Image

pytestmark = pytest.mark.image

OWNER = 4242
Compose = Callable[..., CompletedProcess[str]]


def compose_of(folder: Path, *files: str) -> Compose:
    """Runs docker compose in a folder."""
    chosen = [f"--file={folder / file}" for file in files]

    def compose(*arguments: str) -> CompletedProcess[str]:
        return attempt("compose", "--project-directory", folder, *chosen, "--progress=quiet", *arguments, cwd=folder)

    return compose


@pytest.fixture(scope="module")
def development(project: Callable[[str], Path], tags: list[str]) -> Iterator[tuple[Path, Compose]]:
    """A project of a user who is not root, with its development image built."""
    folder = project("dev")
    for path in [folder, *folder.rglob("*")]:
        os.chown(path, OWNER, OWNER)
    compose = compose_of(folder)
    tags.append("slipway-test-dev-dev")
    done = compose("build")
    assert done.returncode == 0, done.stdout + done.stderr
    yield folder, compose
    compose("down", "--volumes", "--remove-orphans", "--timeout=1")


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
    assert (folder / "made-by-dev").stat().st_uid == OWNER
    assert (folder / "made-by-dev").stat().st_gid == OWNER


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


def test_a_volume_is_filled_once_and_serves_without_the_hub(
    image: Callable[[str], Image], hub: Hub, request: pytest.FixtureRequest
) -> None:
    folder = image("volume").project  # its image has the name that compose.yaml gives
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
