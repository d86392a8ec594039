"""A project that its owner worked on is updated: what the maintainer changed arrives, nothing of the owner is lost."""

from pathlib import Path
from typing import Any

import pytest

from tests.answers import CHOICES
from tests.conftest import rows
from tests.releases import assert_clean, copied, first_and_last, git, releases
from tests.update import maintainer, owner, program
from tests.update.imports import unresolved

LIVES = [
    (preset, manager)
    for preset in CHOICES["preset"].values()
    for manager in (["uv"] if preset == "existing" else CHOICES["package_manager"].values())
    if preset not in ("custom", "frontend", "workspace")  # no release has the last two
]
DIFFERENT = [("platform", "pip"), ("cli", "uv"), ("existing", "uv")]


def answers(preset: str, manager: str) -> dict[str, Any]:
    """Return what is asked of a project of the preset."""
    if preset == "existing":
        return {"preset": preset}
    # A model of the owner in one of them, since their files differ most from ours.
    return {"preset": preset, "package_manager": manager} | ({"hf_task": "custom"} if preset == "cli" else {})


@pytest.mark.parametrize("release", rows(releases(), first_and_last()))
@pytest.mark.parametrize("life", rows(LIVES, DIFFERENT), ids="-".join)
def test_an_update_brings_everything_and_loses_nothing(
    newer: Path, tmp_path: Path, release: str, life: tuple[str, str]
) -> None:
    preset, manager = life
    project = copied(newer, release, tmp_path / "project", answers(preset, manager))
    fresh = copied(newer, maintainer.RELEASE, tmp_path / "fresh", answers(preset, manager))
    new = _files(fresh) - _files(project)
    deleted = owner.deleted(project)
    assert deleted
    kept = owner.live(project)
    arriving = maintainer.arrives(newer, project)
    done = program.real_copier("update", cwd=project)
    assert done.code == 0, done.said
    assert_clean(project)
    assert program.stored(project)["_commit"] == maintainer.RELEASE
    for name, text in arriving.items():
        assert text in (project / name).read_text("utf-8"), f"{name} was not updated"
    for name, text in kept.items():
        assert text in (project / name).read_text("utf-8"), f"{name} lost what its owner wrote"
    assert [name for name in deleted if (project / name).exists()] == []
    assert unresolved(project) == []
    assert set(git(project, "ls-files", "--others", "--exclude-standard").splitlines()) <= new


def _files(project: Path) -> set[str]:
    """Names of all files of a project."""
    return {path.relative_to(project).as_posix() for path in project.rglob("*") if ".git" not in path.parts}
