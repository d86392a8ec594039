"""Where two people changed the same lines there is a visible conflict, never a silent loss."""

from functools import partial
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.answers import CHOICES
from tests.conftest import rows
from tests.releases import NEWEST, commit, copied, first_and_last, git, package, releases
from tests.update import maintainer, program
from tests.update.ownership import is_owners

LEFT_OUT: dict[str, str] = {}
"""Path that a release has, and the working tree not even a stub there -> why nobody can miss it.

Paths without the package's name, as cli/bench.py. An owner's edit of such a file is lost without a word.
"""

PROJECTS: list[dict[str, Any]] = [
    *({"preset": preset} for preset in CHOICES["preset"].values() if preset != "custom"),
    {"preset": "platform", "package_manager": "pip", "hf_task": "custom"},
]
OWN = "# A line of the owner.\n"


def conflicts(project: Path) -> list[str]:
    """Files in conflict, by git's index."""
    return sorted({line.split("\t")[1] for line in git(project, "ls-files", "--unmerged").splitlines()})


def test_the_same_lines_changed_by_both_are_shown_with_both(newer: Path, tmp_path: Path) -> None:
    project = copied(newer, NEWEST, tmp_path / "project", {"preset": "cli", "hf_task": "custom"})
    module, manifest = package(project) / "errors.py", project / "pyproject.toml"
    module.write_text(module.read_text() + OWN)
    manifest.write_text(manifest.read_text().replace('"rich>=14"', '"rich>=13"'))
    commit(project, "My own work")
    done = program.real_copier("update", cwd=project)
    assert done.code == 0, done.said
    assert conflicts(project) == ["pyproject.toml", "src/my_project/errors.py"]
    for path, own, theirs in ((module, OWN, maintainer.FIX), (manifest, '"rich>=13"', '"rich>=14.1"')):
        text = path.read_text()
        assert "<<<<<<< before updating" in text and own in text and theirs in text


def test_an_edit_of_a_file_that_moved_is_shown_at_its_old_path(newer: Path, tmp_path: Path) -> None:
    project = copied(newer, NEWEST, tmp_path / "project", {"preset": "cli", "hf_task": "custom"})
    old = package(project) / "inference/batching.py"
    old.write_text(old.read_text().replace("class Item", f"{OWN}class Item"))
    commit(project, "My own work")
    done = program.real_copier("update", cwd=project)
    assert done.code == 0, done.said
    assert conflicts(project) == ["src/my_project/inference/batching.py"]
    assert OWN in old.read_text() and "from .batches import *" in old.read_text()
    assert OWN not in (old.parent / "batches.py").read_text()


@pytest.mark.exhaustive
def test_a_file_that_both_add_is_shown_with_both(newer: Path, tmp_path: Path) -> None:
    project = copied(newer, NEWEST, tmp_path / "project", {"preset": "cli", "hf_task": "custom"})
    own = package(project) / "inference/batches.py"
    own.write_text(OWN)
    commit(project, "My own work")
    done = program.real_copier("update", cwd=project)
    assert done.code == 0, done.said
    assert conflicts(project) == ["src/my_project/inference/batches.py"]
    assert OWN in own.read_text() and "class Item" in own.read_text()


def missing(old: set[str], new: set[str]) -> list[str]:
    """Return the paths that went and left no stub, and those of the owner's files that went."""
    gone = old - new
    return sorted(name for name in gone if is_owners(f"src/x/{name}") or is_owners(name) or name not in LEFT_OUT)


@pytest.mark.parametrize("release", rows(releases(), first_and_last()))
def test_a_file_is_never_just_moved(lean: Path, template: Path, tmp_path: Path, release: str) -> None:
    offered = yaml.safe_load(git(template, "show", f"{release}:extensions/choices.yml"))["preset"].values()
    rows_there = [row for row, data in enumerate(PROJECTS) if data["preset"] in offered]
    copies = [(source, tag, row) for source, tag in ((template, release), (lean, NEWEST)) for row in rows_there]
    found = program.each(partial(emitted, tmp_path), copies)
    for row, old, new in zip(rows_there, found, found[len(rows_there) :], strict=False):
        assert missing(old, new) == [], f"{PROJECTS[row]}: put a stub at the old path"


def test_a_file_that_went_is_found() -> None:
    old = {"cli/bench.py", "errors.py", "model.py"}
    assert missing(old, {"cli/benchmark.py", "errors.py", "predictor.py"}) == ["cli/bench.py", "model.py"]


def emitted(folder: Path, copy: tuple[Path, str, int]) -> set[str]:
    """Paths of a project that a release makes, without the package's name."""
    template, release, row = copy
    project = folder / f"{template.parent.name}-{release}-{row}"
    answers = {"project_name": "My Project", **PROJECTS[row]}
    done = program.copy(template, release, project, answers)
    assert done.code == 0, done.said
    names = (str(path.relative_to(project)) for path in project.rglob("*") if path.is_file())
    return {name.removeprefix("src/my_project/") for name in names}
