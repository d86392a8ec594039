"""Builds and containers that must fail with one clear line; a failed build leaves no image."""

import re
import shutil
import socket
from collections.abc import Callable
from pathlib import Path
from typing import Protocol

import pytest

from tests.conftest import MINILM, rows
from tests.engine import attempt, build, docker, exists, outcome
from tests.hub import Hub
from tests.image.conftest import Image

pytestmark = pytest.mark.image

TAG = "slipway-test-refused"
RENEW = "docker build --target lock --output . ."


class Refuse(Protocol):
    """A build that must fail."""

    def __call__(self, name: str, *options: str, edit: Callable[[Path], object] = ..., **variables: str) -> list[str]:
        """Edit a copy of the project, build it with options and environment variables, and return the output."""
        ...


@pytest.fixture
def refused(hub: Hub, tmp_path: Path, project: Callable[[str], Path]) -> Refuse:
    """Return a function that builds an edited copy of a project, which must fail, and returns the output lines."""

    def refused(
        name: str, *options: str, edit: Callable[[Path], object] = lambda folder: None, **variables: str
    ) -> list[str]:
        folder = shutil.copytree(project(name), tmp_path / "edited")
        edit(folder)
        hub_option = f"--build-arg=HF_ENDPOINT={hub.endpoint}"
        done = attempt("build", "--progress=plain", f"--tag={TAG}", hub_option, *options, folder, environment=variables)
        assert done.returncode != 0
        assert not exists(TAG)
        said = [match[1] for match in re.finditer(r"^#\d+ [\d.]+ (.*)$", done.stderr, re.MULTILINE)]
        assert not [line for line in said if "Traceback" in line], done.stderr
        return said

    return refused


def rename_model(model: str, revision: str = "main") -> Callable[[Path], None]:
    """Return an edit that makes the Dockerfile fetch another model."""

    def edit(folder: Path) -> None:
        dockerfile = folder / "Dockerfile"
        text, count = re.subn(r"(/tmp/weights\.py) \S+ \S+", rf"\1 {model} {revision}", dockerfile.read_text())
        assert count == 1
        dockerfile.write_text(text)

    return edit


def add_dependency(folder: Path) -> None:
    """Add a dependency that the lock lacks."""
    manifest = folder / "pyproject.toml"
    manifest.write_text(manifest.read_text().replace("dependencies = [\n", 'dependencies = [\n  "colorama",\n', 1))


def only(lines: list[str], text: str) -> str:
    """Return the only line that contains a text."""
    (line,) = [line for line in lines if text in line]
    return line


@pytest.mark.parametrize(("name", "lock"), [("uv", "uv.lock"), ("pip", "pylock.toml")])
def test_production_without_a_lock(name: str, lock: str, refused: Refuse) -> None:
    said = refused(name, edit=lambda folder: (folder / lock).unlink())
    assert only(said, "There is no") == f"There is no {lock}. Create it with: {RENEW}"


@pytest.mark.parametrize(("name", "lock"), [("uv", "uv.lock"), ("pip", "pylock.toml")])
def test_production_with_a_lock_that_is_out_of_date(name: str, lock: str, refused: Refuse) -> None:
    said = refused(name, edit=add_dependency)
    line = only(said, "out of date")
    assert lock in line
    assert line.endswith(RENEW)


def test_a_requirement_from_git_that_pip_cannot_check(refused: Refuse) -> None:
    def edit(folder: Path) -> None:
        manifest = folder / "pyproject.toml"
        required = '"ours @ git+https://git.example/ours.git"'
        manifest.write_text(manifest.read_text().replace("dependencies = [\n", f"dependencies = [\n  {required},\n", 1))

    assert only(refused("pip", "--target=lock", edit=edit), "Git").startswith("pyproject.toml: pip cannot check a Git")


@pytest.mark.parametrize("name", rows(["small", "small, pip"], ["small"]))
def test_a_build_tool_that_is_not_the_one_of_the_hashes(name: str, refused: Refuse) -> None:
    def edit(folder: Path) -> None:
        tools = folder / "docker/build-requirements.txt"
        text, count = re.subn("(?<=sha256:)[0-9a-f]{8}", "00000000", tools.read_text())
        assert count
        tools.write_text(text)

    said = refused(name, edit=edit)
    assert [line for line in said if re.search("hash mismatch|do not match the hashes", line, re.IGNORECASE)], said


@pytest.mark.parametrize("token", ["", "hf_of_somebody_else"])
def test_a_gated_model_without_a_token_that_opens_it(token: str, refused: Refuse) -> None:
    secret = ["--secret=id=HF_TOKEN"] if token else []
    said = refused("uv", *secret, edit=rename_model("an-org/never-opened"), HF_TOKEN=token)
    assert only(said, "weights: ").startswith("weights: an-org/never-opened is gated")
    assert "--secret id=HF_TOKEN" in only(said, "weights: ")
    assert not token or token not in "\n".join(said)


def test_a_model_that_does_not_exist(refused: Refuse) -> None:
    said = refused("uv", edit=rename_model("an-org/none"))
    assert only(said, "weights: ").startswith("weights: an-org/none is not on the hub")


def test_a_revision_that_does_not_exist(refused: Refuse) -> None:
    said = refused("uv", edit=rename_model("sentence-transformers/all-MiniLM-L6-v2", "v999"))
    assert only(said, "weights: ").startswith("weights: sentence-transformers/all-MiniLM-L6-v2 has no revision v999")


def test_a_hub_that_breaks_off(hub: Hub, refused: Refuse, minilm: Path) -> None:
    commit = hub.add("an-org/broken", minilm)
    hub.cut(f"/an-org/broken/resolve/{commit}/model.safetensors", 1000, times=100, reset=True)
    said = refused("uv", edit=rename_model("an-org/broken"))
    assert only(said, "weights: ").startswith("weights: an-org/broken could not be downloaded: ")


def test_a_disk_that_is_full_while_baking(project: Callable[[str], Path], hub: Hub, tags: list[str]) -> None:
    """Run the stage that downloads weights as a container: a build has no option that limits its disk."""
    folder = project("uv")
    tags.append("slipway-test-environment")
    done = build(folder, "--target=environment", "--tag=slipway-test-environment")
    assert done.returncode == 0, done.output
    bake = "python /docker/weights.py $MODEL main /opt/baked/weights; code=$?; ls -A /opt/baked/weights; exit $code"
    selection = folder / "src/my_project/inference/file_selection.py"
    options = [f"--volume={folder / 'docker'}:/docker:ro", f"--volume={selection}:/selection/file_selection.py:ro"]
    options += ["--env=PYTHONPATH=/selection", "--tmpfs=/opt/baked:size=50m", f"--env=MODEL={MINILM}"]
    found = outcome(
        "slipway-test-environment",
        *["sh", "-c", bake],
        options=(*options, f"--env=HF_ENDPOINT={hub.endpoint}", "--env=HF_HUB_DISABLE_PROGRESS_BARS=1"),
    )
    assert found.returncode == 1
    (line,) = [line for line in found.stderr.splitlines() if line.startswith("weights: ")]
    assert "No space left on device" in line
    assert found.stdout == "", "nothing is there that looks complete"


def test_a_port_that_is_taken(sample: Image) -> None:
    with socket.create_server(("127.0.0.1", 0)) as other:
        port = other.getsockname()[1]
        done = outcome(sample.name, "serve", "--host=127.0.0.1", f"--port={port}", options=("--network=host",))
        assert done.returncode == 3
        (line,) = [line for line in (done.stdout + done.stderr).splitlines() if "in use" in line]
        assert str(port) in line
        published = attempt("run", "--rm", f"--publish=127.0.0.1:{port}:8000", sample.name)
        assert published.returncode == 125
        assert str(port) in published.stderr


@pytest.fixture
def foreign(engine: None, request: pytest.FixtureRequest) -> str:
    """Create a volume with a file of another user: an empty volume would take the owner of the image's folder."""
    name = "slipway-test-foreign"
    request.addfinalizer(lambda: attempt("volume", "rm", "--force", name))
    mounted = f"--volume={name}:/mounted"
    base = "python:3.11-slim-trixie"
    docker(
        "run",
        "--rm",
        mounted,
        base,
        "sh",
        "-c",
        "touch /mounted/theirs && chown -R 4242:4242 /mounted && chmod 700 /mounted",
    )
    return name


def test_a_cache_that_is_somebody_elses_gives_way_to_one_that_can_be_written(
    image: Callable[[str], Image], hub: Hub, foreign: str
) -> None:
    options = (f"--volume={foreign}:/cache", f"--env=HF_ENDPOINT={hub.endpoint}", "--env=HF_TOKEN=any")
    done = outcome(image("volume").name, "sh", "-c", 'echo "$HF_HOME"', options=options)
    assert done.stdout == "/tmp/huggingface\n"
    done = outcome(image("volume").name, "predict", "A cat.", options=options)
    assert done.returncode == 0, done.stderr


def test_a_folder_that_is_somebody_elses_is_named(image: Callable[[str], Image], foreign: str) -> None:
    done = outcome(image("small").name, "train", options=(f"--volume={foreign}:/models",))
    assert done.returncode == 1
    (line,) = done.stderr.splitlines()
    assert line.startswith("error: /models/")
    assert "Permission denied" in line
