"""Images of generated projects, built once for each set of answers and removed at the end."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from pytest_copie.plugin import Copie

from tests.answers import TASKS
from tests.conftest import MINILM, TORCH_INDEX
from tests.engine import address, attempt, build, need_engine
from tests.hub import Hub
from tests.releases import commit, git


def named(slug: str) -> dict[str, str]:
    """Answers whose images and containers are told from those of other projects of this machine."""
    return {"project_slug": slug, "package_name": "my_project"}


SMALL: dict[str, Any] = {"hf_task": "custom", "torch_version": "none"}
SETS: dict[str, dict[str, Any]] = {
    "uv": {},
    "pip": {"package_manager": "pip", "runtime": "torch", "training": "manual"},
    "volume": {"preset": "cli", "weights": "volume", **named("slipway-test-volume")},
    "own": {"hf_model": "", "runtime": "torch"},
    "onnx, volume": {
        "runtime": "onnx",
        "weights": "volume",
        "package_manager": "pip",
        "preset": "cli",
        **named("slipway-test-onnx-volume"),
    },
    "dev": named("slipway-test-dev"),
    "dev, pip": {**SMALL, "package_manager": "pip", **named("slipway-test-dev-pip")},
    "unlocked": {**SMALL, **named("slipway-test-unlocked")},
    "unlocked, pip": {**SMALL, "package_manager": "pip", **named("slipway-test-unlocked-pip")},
    "gitlab": {**SMALL, "ci": "gitlab", **named("slipway-test-gitlab")},
    "small": SMALL,
    "small, pip": {**SMALL, "package_manager": "pip"},
    "platform": {**SMALL, "preset": "platform", **named("slipway-test-platform")},
    "monitoring": {**SMALL, "preset": "platform", **named("slipway-test-monitoring")},
    "bucket": {**SMALL, "preset": "platform", "services": ["postgres", "bucket"], **named("slipway-test-bucket")},
    "seeded": {
        "runtime": "torch",
        "training": "manual",
        "services": ["bucket"],
        "weights": "bucket",
        **named("slipway-test-seeded"),
    },
    "gated": {"hf_model": "an-org/gated", "hf_revision": "main"},
}
PORT = 48193
"""Where the stand-in of the hub listens if it can: another address would let no build use an earlier one's cache."""


@dataclass(frozen=True)
class Image:
    """An image and the project it was built from."""

    name: str
    project: Path


@pytest.fixture(scope="session")
def engine() -> None:
    """A running Docker engine."""
    need_engine()


@pytest.fixture(scope="session")
def hub(engine: None, minilm: Path) -> Iterator[Hub]:
    """A stand-in of the hub that builds and containers reach: the real model as pinned, and a gated copy."""
    pinned = TASKS["feature-extraction"]["revision"]
    try:
        hub = Hub(PORT, host=address())
    except OSError:
        hub = Hub(host=address())
    with hub:
        hub.add(MINILM, minilm, {"main": pinned})
        hub.add("an-org/gated", minilm, gated=True)
        hub.add("an-org/never-opened", minilm, gated=True)
        yield hub


@pytest.fixture(scope="session")
def project(engine: None, template: Path, copie_session: Copie) -> Callable[[str], Path]:
    """Generates the project of a set of answers, locks it and commits it, once for each set."""
    made: dict[str, Path] = {}

    def project(name: str) -> Path:
        if name not in made:
            data = {"project_name": "My Project", "torch_index": TORCH_INDEX, **SETS[name]}
            result = copie_session.copy(extra_answers=data, template_dir=template)
            assert result.project_dir, result.exception
            locked = build(result.project_dir, "--target=lock", f"--output={result.project_dir}")
            assert locked.returncode == 0, locked.output
            git(result.project_dir, "init", "--quiet")
            commit(result.project_dir, "Start")
            made[name] = result.project_dir
        return made[name]

    return project


@pytest.fixture(scope="module")
def tags() -> Iterator[list[str]]:
    """Names of images that are removed with the last test of the module: together they would fill a disk."""
    names: list[str] = []
    yield names
    if names:
        attempt("image", "rm", "--force", *names)


@pytest.fixture(scope="session")
def image(project: Callable[[str], Path], hub: Hub) -> Iterator[Callable[[str], Image]]:
    """Builds the image of a set of answers, once for each set; they are removed at the end."""
    made: dict[str, Image] = {}

    def image(name: str) -> Image:
        if name not in made:
            tag = f"slipway-test-{name}"
            done = build(project(name), f"--build-arg=HF_ENDPOINT={hub.endpoint}", f"--tag={tag}")
            assert done.returncode == 0, done.output
            made[name] = Image(tag, project(name))
        return made[name]

    yield image
    for each in made.values():
        attempt("image", "rm", "--force", each.name)


@pytest.fixture(params=["uv", "pip"])
def baked(request: pytest.FixtureRequest, image: Callable[[str], Image]) -> Image:
    """An image with API, command line and weights, of either package manager: uv with ONNX Runtime, pip with torch."""
    return image(request.param)


@pytest.fixture(scope="session")
def sample(image: Callable[[str], Image]) -> Image:
    """The image of the default answers."""
    return image("uv")
