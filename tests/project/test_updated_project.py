"""A project with its owner's edits still passes its own linters and tests after an update."""

from pathlib import Path

import pytest

from tests.answers import Answer
from tests.conftest import TORCH_INDEX, rows
from tests.program import run
from tests.project.conftest import Project
from tests.releases import assert_clean, copied, copier
from tests.update import maintainer, owner
from tests.update.starts import starts

pytestmark = pytest.mark.project

PROJECTS: dict[str, dict[str, Answer]] = {
    "api": {"preset": "api"},
    "custom": {"preset": "platform", "hf_task": "custom"},
    "platform": {"preset": "platform", "runtime": "torch", "training": "manual"},
    "cli": {"preset": "cli"},
}


@pytest.mark.parametrize("release", starts())
@pytest.mark.parametrize("name", rows(PROJECTS, ["api", "custom"]))
def test_an_updated_project_is_clean_and_passes_its_tests(
    template: Path, release: str, name: str, tmp_path: Path, environment: dict[str, str]
) -> None:
    newer = maintainer.release(template, tmp_path / "template")
    path = copied(newer, release, tmp_path / "project", {"torch_index": TORCH_INDEX, **PROJECTS[name]})
    owner.live(path)
    update = copier("update", "--defaults", "--quiet", cwd=path)
    assert update.returncode == 0, update.stderr
    assert_clean(path)
    done = Project(path, environment).make("lint", "test")
    assert done.returncode == 0, done.stdout + done.stderr
    greet = run([path / ".venv/bin/my-project", "greet"], cwd=path, env=environment)
    assert greet.stdout == "Hello\n", greet.stderr
    setting = "from my_project.components import get_settings; print(get_settings().new_setting)"
    assert run([path / ".venv/bin/python", "-c", setting], cwd=path, env=environment).stdout == "1\n"
