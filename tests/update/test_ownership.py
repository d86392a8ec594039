"""Few files are the owner's, and updates can change the rest."""

from pathlib import Path

import pytest
from pathspec import GitIgnoreSpec

from benchmarks.ownership import (
    MAX_FILES,
    MAX_LINES_OF_DEFAULT,
    MIN_SHARE,
    MIN_SHARE_OF_CUSTOM,
    Ownership,
    measure,
    projects,
    table,
)
from tests.template.questions import documents
from tests.trees import rendered

OWNERS = [
    "README.md",
    "docker/packages.txt",
    "src/my_project/settings.py",
    "src/my_project/model.py",
    "src/my_project/schemas.py",
    "src/my_project/routes.py",
    "src/my_project/job_types.py",
    "src/my_project/training_task.py",
    "src/my_project/training.yaml",
    "src/my_project/ratings.py",
    "src/my_project/commands/__init__.py",
    "tests/example.py",
    "tests/test_model.py",
    "tests/test_routes.py",
    "tests/test_job_types.py",
]
"""Every file of the owner's that a project can have, as docs and README name them."""

OTHERS = [
    *(f"{folder}/kubernetes/overlays/prod/kustomization.yaml" for folder in ("deploy", "docker", "slipway")),
    *("docker/build-packages.txt", "slipway/packages.txt", "slipway/build-packages.txt"),
    *("package.json", "index.html", "vite.config.ts", "tsconfig.json", "eslint.config.js", "public/icon.svg"),
    *("src/App.tsx", "src/api.ts", "src/style.css"),
    "services.yml",
]
"""The same of clusters, existing code, front ends and workspaces."""


@pytest.fixture(scope="module")
def measured(lean: Path, tmp_path_factory: pytest.TempPathFactory) -> list[Ownership]:
    """Return each preset with three of the tasks; the benchmark has the rest."""
    tasks = ("feature-extraction", "text-generation", "custom")
    chosen = (answers for answers in projects() if answers["hf_task"] in tasks)
    return [measure(tree) for tree in rendered(chosen, lean, tmp_path_factory.mktemp("projects"))]


def test_the_owners_files_are_those_that_are_listed(measured: list[Ownership]) -> None:
    patterns = documents()[0]["_skip_if_exists"]
    assert len(patterns) == len(OWNERS + OTHERS)
    for pattern in patterns:
        assert [name for name in OWNERS + OTHERS if GitIgnoreSpec.from_lines([pattern]).match_file(name)], pattern
    emitted = {name for each in measured for name in each.files_of_owner}
    assert emitted == {name for name in OWNERS if name.startswith(("src/", "tests/")) and "commands" not in name}


def test_updates_can_change_nearly_everything(measured: list[Ownership]) -> None:
    print(table(measured))
    least = {"custom": MIN_SHARE_OF_CUSTOM}
    assert [str(each) for each in measured if each.share < least.get(each.answers["hf_task"], MIN_SHARE)] == []
    assert [str(each) for each in measured if len(each.files_of_owner) > MAX_FILES] == []
    default = next(each for each in measured if each.answers == {"preset": "api", "hf_task": "feature-extraction"})
    assert default.lines_of_owner <= MAX_LINES_OF_DEFAULT
