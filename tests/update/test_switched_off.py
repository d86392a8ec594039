"""Parts that an owner switches off go with their files, and the closing message names those of the owner."""

from pathlib import Path

import pytest

from tests.releases import NEWEST, assert_clean, commit, copied, git
from tests.update import owner, program
from tests.update.imports import unresolved
from tests.update.ownership import is_owners

SOURCES = "src/my_project"
OFF: list[tuple[dict[str, object], dict[str, object], list[str]]] = [
    (
        {"preset": "platform"},
        {"interfaces": ["cli"], "services": []},
        [f"{SOURCES}/job_types.py", f"{SOURCES}/routes.py", "tests/test_job_types.py", "tests/test_routes.py"],
    ),
    (
        {"preset": "training"},
        {"training": "none"},
        [f"{SOURCES}/training.yaml", f"{SOURCES}/training_task.py"],
    ),
]


@pytest.mark.parametrize(("start", "changes", "gone"), OFF, ids=["api-and-worker", "training"])
def test_a_part_goes_with_its_files_and_the_owners_are_named(
    lean: Path, tmp_path: Path, start: dict[str, object], changes: dict[str, object], gone: list[str]
) -> None:
    project = copied(lean, NEWEST, tmp_path / "project", start)
    kept = owner.live(project)
    done = program.real_copier("update", "--vcs-ref=:current:", *program.as_options(changes), cwd=project)
    assert done.code == 0, done.said
    assert_clean(project)
    deleted = git(project, "diff", "--name-only", "--diff-filter=D", "HEAD").splitlines()
    assert [name for name in deleted if is_owners(name)] == gone
    assert [name for name in gone if name not in done.said] == []
    assert [name for name in kept if name not in done.said and not (project / name).exists()] == []
    assert unresolved(project) == []
    # What Git has comes back with the part, as its owner left it.
    commit(project, "Without it")
    back = {name: start_value for name, start_value in _before(project).items() if name in changes}
    done = program.real_copier("update", "--vcs-ref=:current:", *program.as_options(back), cwd=project)
    assert done.code == 0, done.said
    assert_clean(project)
    git(project, "checkout", "--quiet", "HEAD~1", "--", *gone)
    assert [name for name in gone if name in kept and kept[name] not in (project / name).read_text("utf-8")] == []
    assert unresolved(project) == []


def _before(project: Path) -> dict[str, object]:
    return program.parsed(git(project, "show", "HEAD~1:.copier-answers.yml"))


def test_an_update_that_switches_nothing_off_names_no_file(newer: Path, tmp_path: Path) -> None:
    project = copied(newer, NEWEST, tmp_path / "project", {"preset": "cli"})
    done = program.real_copier("update", cwd=project)
    assert done.code == 0, done.said
    assert "with a part that was switched off" not in done.said
