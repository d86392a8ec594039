"""Every kind of generated project installs, is clean, and passes its own tests."""

from typing import Any

import pytest

from tests.program import run
from tests.project.conftest import Make

pytestmark = pytest.mark.project

BUCKET = {"preset": "platform", "package_manager": "pip", "hf_task": "custom", "services": ["postgres", "bucket"]}
"""A platform whose files and versions are in a bucket; other tests look at it too."""

KINDS: list[dict[str, Any]] = [
    # With ONNX Runtime and torch where a task has both; with pip the last. Custom's come below, with uv, for one interface
    # at a time.
    *({"package_manager": "uv", "hf_task": task} for task in ("feature-extraction", "fill-mask")),
    {"package_manager": "uv", "hf_task": "text-classification"},
    {"package_manager": "uv", "hf_task": "text-generation", "training": "manual"},
    {"preset": "training", "package_manager": "uv", "hf_task": "text-classification"},
    {"preset": "platform", "package_manager": "uv", "hf_task": "image-classification"},
    BUCKET,
]


@pytest.mark.parametrize("answers", KINDS, ids=lambda answers: "-".join(map(str, answers.values())))
def test_a_new_project_is_clean_and_passes_its_tests(make_project: Make, answers: dict[str, Any]) -> None:
    project = make_project(**answers)
    for verb in ("lint", "test"):
        done = project.make(verb)
        assert done.returncode == 0, done.stdout + done.stderr
    assert "passed" in done.stdout
    assert "TOTAL" in done.stdout


@pytest.mark.parametrize("interface", ["cli", "api"])
def test_a_project_with_one_interface_passes_its_tests(make_project: Make, interface: str) -> None:
    done = make_project(hf_task="custom", interfaces=[interface]).make("lint", "test")
    assert done.returncode == 0, done.stdout + done.stderr


def test_the_hooks_let_a_clean_commit_pass_and_hold_back_a_conflict(make_project: Make) -> None:
    project = make_project(package_manager="uv", hf_task="custom")
    hooks = [project.path / ".venv/bin/pre-commit", "run", "--all-files"]
    options = {"cwd": project.path, "env": project.environment}
    assert run(["git", "add", "--all"], **options).returncode == 0
    done = run(hooks, **options)
    assert done.returncode == 0, done.stdout
    page = project.path / "README.md"
    before = page.read_text()
    page.write_text(f"{before}\n<<<<<<< mine\n=======\n>>>>>>> theirs\n")
    try:
        assert run(hooks, **options).returncode != 0
    finally:
        page.write_text(before)


def test_every_verb_that_ends_works(make_project: Make) -> None:
    project = make_project(package_manager="uv", hf_task="custom")
    for verb in ("help", "lock", "format", "train"):
        done = project.make(verb)
        assert done.returncode == 0, done.stdout + done.stderr
    changed = run(["git", "diff", "--name-only"], cwd=project.path).stdout
    assert "src" not in changed and "tests" not in changed, "a new project is formatted already"
