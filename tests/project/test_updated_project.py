"""A project that was worked on and updated still passes its own tests."""

from pathlib import Path

import pytest

from tests.conftest import TORCH_INDEX, rows
from tests.program import run
from tests.project.conftest import Project
from tests.releases import releases, updated_project

pytestmark = pytest.mark.project


@pytest.mark.parametrize("release", releases())
@pytest.mark.parametrize("task", rows(["feature-extraction", "custom"], ["feature-extraction"]))
def test_an_updated_project_is_clean_and_passes_its_tests(
    release: str, task: str, tmp_path: Path, environment: dict[str, str]
) -> None:
    path = updated_project(release, tmp_path / "project", {"torch_index": TORCH_INDEX, "hf_task": task})
    done = Project(path, environment).make("lint", "test")
    assert done.returncode == 0, done.stdout + done.stderr
    greeting = run(
        [path / ".venv/bin/python", "-c", "from my_project.api import app; print(list(app.openapi()['paths']))"],
        cwd=path,
        env=environment,
    )
    assert "/greeting" in greeting.stdout
