"""A project with its owner's edits still passes its own linters and tests after an update."""

import json
from pathlib import Path

import pytest

from tests.answers import Answer
from tests.conftest import TORCH_INDEX, rows
from tests.installed import Project
from tests.program import run
from tests.releases import assert_clean, copied, copier, first_and_last, releases
from tests.update import maintainer, owner

pytestmark = pytest.mark.project

PROJECTS: dict[str, dict[str, Answer]] = {
    "api": {"preset": "api"},
    "custom": {"preset": "platform", "hf_task": "custom"},
    "platform": {"preset": "platform", "runtime": "torch", "training": "manual"},
    "cli": {"preset": "cli"},
}


@pytest.mark.parametrize("release", rows(releases(), first_and_last()))
@pytest.mark.parametrize("name", rows(PROJECTS, ["custom"]))
def test_an_updated_project_is_clean_and_passes_its_tests(
    template: Path, release: str, name: str, tmp_path: Path, environment: dict[str, str]
) -> None:
    newer = maintainer.release(template, tmp_path / "template")
    path = copied(newer, release, tmp_path / "project", {"torch_index": TORCH_INDEX, **PROJECTS[name]})
    owner.live(path)
    update = copier("update", "--defaults", "--quiet", cwd=path)
    assert update.returncode == 0, update.stderr
    assert_clean(path)
    project = Project(path, environment)
    done = project.make("lint", "test")
    assert done.returncode == 0, done.stdout + done.stderr
    if (path / "src/my_project/db").exists():
        assert_both_migrations_apply(project, f"sqlite:///{tmp_path}/jobs.sqlite")
    greet = run([path / ".venv/bin/my-project", "greet"], cwd=path, env=environment)
    assert greet.stdout == "Hello\n", greet.stderr
    setting = "from my_project.components import get_settings; print(get_settings().new_setting)"
    assert run([path / ".venv/bin/python", "-c", setting], cwd=path, env=environment).stdout == "1\n"


def assert_both_migrations_apply(project: Project, database: str) -> None:
    """Migrate a database from before the update, which has a table of the owner, to the maintainer's migration."""

    def migrate(*revision: str) -> str:
        done = project.run("migrate", *revision, MY_PROJECT_DATABASE=database)
        assert done.returncode == 0, done.stderr
        return done.stdout + done.stderr

    def found() -> dict[str, str]:
        doctor = project.run("doctor", "--json", MY_PROJECT_DATABASE=database)
        return next(each for each in json.loads(doctor.stdout) if each["check"] == "database")

    migrate("0002")
    assert "0002, own:a1" in migrate("own:a1")
    assert "run the command migrate" in found()["found"]
    assert "0004, own:a1" in migrate()
    assert found()["state"] == "ok"
