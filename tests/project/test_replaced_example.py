"""An owner replaces the example by a model of their own: only files of theirs change, and updates still arrive."""

from pathlib import Path

import pytest

from tests import replacement
from tests.conftest import TORCH_INDEX, rows
from tests.installed import Project
from tests.releases import NEWEST, assert_clean, commit, copied, git
from tests.update import maintainer, program
from tests.update.ownership import is_owners

pytestmark = pytest.mark.project


@pytest.fixture(scope="module")
def newer(template: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a clone with the release of a maintainer after the working tree's."""
    return maintainer.release(template, tmp_path_factory.mktemp("newer") / "template")


@pytest.mark.parametrize("name", rows(replacement.ANSWERS, ["custom"]))
def test_a_model_of_the_owner_needs_only_files_of_the_owner(
    newer: Path, name: str, tmp_path: Path, environment: dict[str, str]
) -> None:
    answers = {"torch_index": TORCH_INDEX, **replacement.ANSWERS[name]}
    project = Project(copied(newer, NEWEST, tmp_path / "project", answers), environment)
    assert project.make("install").returncode == 0
    commit(project.path, "Lock")
    replacement.replace_example(project.path, name)
    changed = git(project.path, "diff", "--name-only", "HEAD").splitlines()
    assert len(changed) > 5
    assert [path for path in changed if not is_owners(path)] == []
    check(project, "lint", "test")
    commit(project.path, "My own model")

    arriving = maintainer.arrives(newer, project.path)
    done = program.real_copier("update", cwd=project.path)
    assert done.code == 0, done.said
    assert_clean(project.path)
    updated = set(git(project.path, "diff", "--name-only", "HEAD").splitlines())
    assert len(updated) > 30 and [path for path in updated if is_owners(path)] == []
    added = git(project.path, "ls-files", "--others", "--exclude-standard").splitlines()
    assert [path for path in added if is_owners(path)] == [], "a file of the example is back"
    missing = [path for path, text in arriving.items() if text not in (project.path / path).read_text("utf-8")]
    assert missing == []
    check(project, "test")


def check(project: Project, *verbs: str) -> None:
    """Run verbs of the Makefile, which must find nothing."""
    done = project.make(*verbs)
    assert done.returncode == 0, done.stdout + done.stderr
