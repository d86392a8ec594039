"""The repositories of tests/existing, each with the answers that give it containers."""

import shutil
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tests.conftest import TORCH_INDEX
from tests.releases import NEWEST, ROOT, as_options, commit, copier, git

FOLDER = ROOT / "tests/existing"


@dataclass(frozen=True)
class Shape:
    """What a generator is told about a repository, and what shows that its containers work."""

    answers: dict[str, Any]
    commands: list[list[str]] = field(default_factory=list)
    """Command lines that succeed in the image that ships, read-only and without a network."""
    route: str = ""
    """A route of the API that answers."""
    packages: str = ""
    """System packages."""

    @property
    def suffix(self) -> str:
        """What stands before the names of files that theirs must not be replaced by."""
        return "slipway." if "Dockerfile" in self.answers.get("keep", []) else ""


SHAPES = {
    "flat": Shape(
        {
            "code_paths": ["download.py", "finetune.py", "align.py", "trainers", "configs", "data"],
            "requirements_file": "pyproject.toml",
            "requirements_dev": "extra:dev",
            "commands": {
                name: f"python {name}.py --config configs/{name}.yaml" for name in ("download", "finetune", "align")
            },
            "output_folders": ["outputs"],
        },
        [["finetune", "--dry-run"], ["align", "--dry-run"], ["download", "--dry-run"]],
    ),
    "src-hydra": Shape(
        {
            "code_paths": ["src"],
            "requirements_file": "pyproject.toml",
            "requirements_dev": "group:dev",
            "commands": {"train": "paratope-train", "predict": "paratope-predict"},
            "output_folders": ["outputs"],
        },
        [["train", "--cfg", "job", "model=tiny"], ["paratope-predict", "--cfg", "job"]],
    ),
    "requirements-only": Shape(
        {
            "code_paths": ["api", "config", "src", "data", "train_model.py"],
            "requirements_file": "requirements.txt",
            "requirements_dev": "requirements-dev.txt",
            "commands": {"train": "python train_model.py"},
            "api_app": "api.main:app",
            "health_route": "/health",
            "torch_version": "none",
            "output_folders": ["models"],
            "keep": ["Dockerfile", "compose.yaml"],
        },
        [["train", "--dry-run"]],
        route="/health",
    ),
    "monorepo": Shape(
        {
            "code_paths": ["backend"],
            "requirements_file": "backend/requirements.txt",
            "requirements_dev": "backend/requirements-dev.txt",
            "api_app": "app.main:app",
        },
        route="/api/crops",
    ),
    "api-string": Shape(
        {
            "code_paths": ["moldash"],
            "requirements_file": "requirements.txt",
            "requirements_dev": "requirements-dev.txt",
            "install": "yes",
            "api_app": "moldash.asgi:app",
            "api_server": "gunicorn-uvicorn",
            "health_route": "/healthz",
        },
        route="/healthz",
    ),
    "conda": Shape(
        {
            "code_paths": ["streamflow", "train.py", "evaluate.py", "data"],
            "requirements_file": "environment.yml",
            "commands": {"train": "python train.py", "evaluate": "python evaluate.py"},
            "output_folders": ["models"],
        },
        [["train", "--model", "gbm", "--dry-run"]],
        packages="libgomp1\n",
    ),
    "poetry": Shape(
        {
            "code_paths": ["tidewatch"],
            "requirements_file": "pyproject.toml",
            "requirements_dev": "group:dev",
            "install": "yes",
            "commands": {"train": "tidewatch train", "scan": "tidewatch scan"},
            "output_folders": ["models"],
        },
        [["train", "--help"], ["tidewatch", "scan", "--help"]],
    ),
}


def repository(name: str, folder: Path) -> Path:
    """A clone of a repository, as its authors have it."""
    shutil.copytree(FOLDER / name, folder)
    git(folder, "init", "--quiet")
    commit(folder, "Theirs")
    return folder


def given(template: Path, name: str, folder: Path, **answers: Any) -> Path:
    """The same with containers, committed."""
    repository(name, folder)
    done = add_containers(template, folder, **{**SHAPES[name].answers, **answers})
    assert done.returncode == 0, done.stderr
    if SHAPES[name].packages:
        (folder / "docker/packages.txt").write_text(SHAPES[name].packages)
    commit(folder, "Add containers")
    return folder


def add_containers(template: Path, folder: Path, **answers: Any) -> Any:
    """Runs copier in a repository, with no terminal and no --trust."""
    data = {"preset": "existing", "torch_index": TORCH_INDEX, **answers}
    return copier("copy", "--defaults", "--vcs-ref", NEWEST, *as_options(data), template, ".", cwd=folder)
