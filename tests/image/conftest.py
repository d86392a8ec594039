"""Images of generated projects: built once for each set of answers, removed at the end."""

import shutil
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import httpx
import pytest
from pytest_copie.plugin import Copie

from tests.answers import TASKS, Answer
from tests.conftest import MINILM, TORCH_INDEX
from tests.engine import address, attempt, build, docker, need_engine, started
from tests.hub import Hub
from tests.releases import commit, git


def named(slug: str) -> dict[str, Answer]:
    """Return answers that name images and containers unlike those of other projects on this machine."""
    return {"project_slug": slug, "package_name": "my_project"}


SMALL: dict[str, Answer] = {"hf_task": "custom", "torch_version": "none"}
SETS: dict[str, dict[str, Answer]] = {
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
    "kubernetes": {**SMALL, "deploy": ["kubernetes"], **named("slipway-test-kubernetes")},
    "slurm": {**SMALL, "preset": "cli", "deploy": ["slurm"], **named("slipway-test-slurm")},
    "slurm, train": {
        "preset": "training",
        "hf_task": "text-classification",
        "deploy": ["slurm"],
        **named("slipway-test-slurm-train"),
    },
    "publish": {**SMALL, "ci": "gitlab", "deploy": ["ghcr"], **named("slipway-test-publish")},
    "replaced": {**SMALL, **named("slipway-test-replaced")},
    "gated": {"hf_model": "an-org/gated", "hf_revision": "main"},
}
PORT = 48193
"""Preferred port of the stand-in of the hub: builds with another address miss the cache of earlier ones."""


@dataclass(frozen=True)
class Registry:
    """A container registry with one account, somebody:secret: its address on this machine, and that for containers."""

    outside: str
    inside: str


@dataclass(frozen=True)
class Image:
    """An image and the project it was built from."""

    name: str
    project: Path


@pytest.fixture(scope="session")
def engine() -> None:
    """Skip the test where there is no Docker engine."""
    need_engine()


@pytest.fixture(scope="session")
def hub(engine: None, minilm: Path) -> Iterator[Hub]:
    """Yield a stand-in of the hub for builds and containers, with the real model at its pin and gated copies."""
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
    """Return a function that generates, locks and commits the project of a set of answers, once for each set."""
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
    """Yield a list of images to remove after the module's last test: all of them together would fill a disk."""
    names: list[str] = []
    yield names
    if names:
        attempt("image", "rm", "--force", *names)


@pytest.fixture(scope="module")
def registry(engine: None, tmp_path_factory: pytest.TempPathFactory, tags: list[str]) -> Iterator[Registry]:
    """Yield a container registry."""
    tags.append("slipway-test-registry")
    folder = tmp_path_factory.mktemp("registry")
    shutil.copy(Path(__file__).parent / "registry.dockerfile", folder / "Dockerfile")
    done = build(folder, "--tag=slipway-test-registry")
    assert done.returncode == 0, done.output
    with started("slipway-test-registry", port=5000) as running:
        running.until(lambda: httpx.get(f"{running.url}/v2/").status_code == 401, "listening")
        address = docker("inspect", "--format={{.NetworkSettings.IPAddress}}", running.name).stdout.strip()
        yield Registry(running.url.removeprefix("http://"), f"{address}:5000")


@pytest.fixture(scope="session")
def image(project: Callable[[str], Path], hub: Hub) -> Iterator[Callable[[str], Image]]:
    """Yield a function that builds the image of a set of answers, once for each set; remove the images at the end."""
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
    """Return an image with API, command line and weights: of uv with ONNX Runtime, and of pip with torch."""
    return image(request.param)


@pytest.fixture(scope="session")
def sample(image: Callable[[str], Image]) -> Image:
    """Return the image of the default answers."""
    return image("uv")
