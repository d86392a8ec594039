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
    "download": {"weights": "volume", "runtime": "torch", "accelerator": "cu130", "training": "manual"},
    "export": {"weights": "volume"},
    "own weights": {"hf_model": "", "training": "none"},
}
"""Answers of the projects, beside `deploy`."""

OVERLAYS = ("dev", "prod")

EXTRA = "all"
"""An overlay that names every component of its project but `dev`."""


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
        _write_extra(tree.path / "deploy/kubernetes")
    return {
        f"{name}/{overlay}": kustomize(tree.path / "deploy/kubernetes/overlays" / overlay)
        for name, tree in projects.items()
        for overlay in (*OVERLAYS, EXTRA)
    }


def _write_extra(folder: Path) -> None:
    overlay = yaml.safe_load((folder / "overlays/prod/kustomization.yaml").read_text())
    names = sorted(path.name for path in (folder / "components").iterdir() if path.name != "dev")
    overlay["components"] = [f"../../components/{name}" for name in names]
    (folder / "overlays" / EXTRA).mkdir()
    (folder / "overlays" / EXTRA / "kustomization.yaml").write_text(yaml.safe_dump(overlay))
