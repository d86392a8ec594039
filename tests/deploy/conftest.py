"""Projects that are deployed to Kubernetes."""

from pathlib import Path

import pytest
import yaml

from tests.answers import Answer
from tests.conftest import need_program
from tests.deploy.manifests import Resource, kustomize
from tests.trees import Tree, rendered

SETS: dict[str, dict[str, Answer]] = {
    "api": {},
    "platform": {"preset": "platform"},
    "custom": {"hf_task": "custom", "torch_version": "none"},
    "bucket": {
        "preset": "platform",
        "services": ["postgres", "bucket", "monitoring"],
        "runtime": "torch",
        "training": "scheduled",
        "weights": "bucket",
    },
    "download": {
        "weights": "volume",
        "runtime": "torch",
        "accelerator": "cu130",
        "training": "manual",
        "services": ["monitoring"],
    },
    "export": {"weights": "volume"},
    "own weights": {"hf_model": "", "training": "none"},
}
"""Answers of the projects, beside `deploy`."""

OVERLAYS = ("dev", "prod")

EXTRA = "all"
"""An overlay that names every component of its project but `dev`."""

WEIGHTS = {"name": "my-project-weights", "newName": "registry.example.org/weights", "digest": "sha256:" + "1" * 64}
"""The image of the component `image-volume`, as an overlay names it."""


@pytest.fixture(scope="session")
def projects(template: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Tree]:
    """Return a project for each set of answers."""
    sets = [{"deploy": ["kubernetes"], **answers} for answers in SETS.values()]
    return dict(zip(SETS, rendered(sets, template, tmp_path_factory.mktemp("deployed")), strict=True))


@pytest.fixture(scope="session")
def overlays(projects: dict[str, Tree]) -> dict[str, list[Resource]]:
    """Return the resources of each overlay of each project, by `PROJECT/OVERLAY`."""
    need_program("kubectl")
    for tree in projects.values():
        write_overlay(tree.path / "deploy/kubernetes", EXTRA)
    return {
        f"{name}/{overlay}": kustomize(tree.path / "deploy/kubernetes/overlays" / overlay)
        for name, tree in projects.items()
        for overlay in (*OVERLAYS, EXTRA)
    }


def component_names(folder: Path) -> list[str]:
    """Return the components of a project's folder `deploy/kubernetes` but `dev`."""
    return sorted(path.name for path in (folder / "components").iterdir() if path.name != "dev")


def write_overlay(folder: Path, name: str, *components: str) -> Path:
    """Write an overlay like production's with these components, or with all, and return its folder."""
    overlay = yaml.safe_load((folder / "overlays/prod/kustomization.yaml").read_text())
    overlay["components"] = [f"../../components/{each}" for each in components or component_names(folder)]
    overlay["images"].append(WEIGHTS)
    written = folder / "overlays" / name
    written.mkdir()
    (written / "kustomization.yaml").write_text(yaml.safe_dump(overlay))
    return written
