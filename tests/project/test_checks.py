"""Every kind of generated project installs, is clean, and passes its own tests."""

import pytest

from tests.answers import TASKS
from tests.project.conftest import Make

pytestmark = pytest.mark.project

COMBINATIONS = [("uv", task) for task in TASKS] + [("pip", "feature-extraction"), ("pip", "custom")]


@pytest.mark.parametrize(("package_manager", "task"), COMBINATIONS)
def test_a_new_project_is_clean_and_passes_its_tests(make_project: Make, package_manager: str, task: str) -> None:
    project = make_project(package_manager=package_manager, hf_task=task)
    for verb in ("lint", "test"):
        done = project.make(verb)
        assert done.returncode == 0, done.stdout + done.stderr
    assert "passed" in done.stdout
    assert "TOTAL" in done.stdout


@pytest.mark.parametrize("interface", ["cli", "api"])
def test_a_project_with_one_interface_passes_its_tests(make_project: Make, interface: str) -> None:
    done = make_project(hf_task="custom", interfaces=[interface]).make("lint", "test")
    assert done.returncode == 0, done.stdout + done.stderr
