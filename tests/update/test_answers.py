"""A change of an answer ends in the tree of a fresh copy with those answers, or is refused in one sentence."""

import itertools
from collections.abc import Iterable
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from tests.answers import CHOICES, NO_PROJECT, ROOT, all_values
from tests.releases import NEWEST, as_options, assert_clean, commit, git
from tests.template.questions import groups
from tests.update import program
from tests.update.imports import unresolved
from tests.update.ownership import is_owners

Answers = dict[str, Any]

EVERYTHING = {
    "preset": "platform",
    "services": ["postgres", "bucket", "monitoring"],
    "runtime": "torch",
    "training": "manual",
}
TRAINED = {"preset": "training"}

OFTEN: list[tuple[Answers, Answers]] = [
    # Each of these left an earlier release's project broken:
    (TRAINED, {"training": "none"}),
    ({"preset": "api"}, {"runtime": "torch"}),
    ({"preset": "api"}, {"interfaces": ["cli", "api", "worker"]}),
    ({"preset": "cli"}, {"runtime": "onnx"}),
    ({"preset": "cli"}, {"training": "manual"}),
    ({"preset": "api"}, {"hf_model": "an-org/a_model.v2"}),
    # Parts that come and go:
    ({"preset": "platform"}, {"interfaces": ["cli"], "services": [], "training": "none"}),
    ({"preset": "cli"}, {"interfaces": ["cli", "api", "worker"], "services": ["postgres", "bucket", "monitoring"]}),
    ({"preset": "cli", "hf_task": "custom"}, {"interfaces": ["api"]}),
    (EVERYTHING, {"services": []}),
    (EVERYTHING, {"weights": "bucket"}),
    (EVERYTHING, {"training": "scheduled"}),
    ({"preset": "api"}, {"weights": "volume"}),
    ({"preset": "api", "hf_task": "image-classification"}, {"hf_model": ""}),
    (
        {"preset": "training", "hf_task": "text-generation"},
        {"interfaces": ["cli", "api", "worker"], "training": "none"},
    ),
    # What it is built with:
    ({"preset": "platform", "package_manager": "pip"}, {"package_manager": "uv"}),
    ({"preset": "api"}, {"package_manager": "pip"}),
    ({"preset": "api"}, {"accelerator": "cu130"}),
    ({"preset": "cli"}, {"torch_version": "2.14.1", "python_version": "3.14"}),
    ({"preset": "cli", "ci": "gitlab"}, {"ci": "github"}),
    ({"preset": "cli"}, {"devcontainer": "no", "license": "MIT", "ci": "none"}),
    # Existing code:
    ({"preset": "existing"}, {"keep": ["Dockerfile", "compose.yaml"]}),
    ({"preset": "existing"}, {"requirements_file": "environment.yml", "api_app": "app.main:app"}),
]
"""Starting points and changes that differ most."""

REFUSED: list[tuple[Answers, Answers]] = [
    ({"preset": "api"}, {"preset": "platform"}),
    ({"preset": "api"}, {"hf_task": "custom"}),
    ({"preset": "api"}, {"training": "manual"}),
    ({"preset": "api"}, {"package_name": "another_package"}),
    ({"preset": "existing"}, {"preset": "api"}),
]
"""Changes that only a new project, or other answers, can have."""

EXISTING = groups()[ROOT / "extensions/questions/existing.yml"]
NEEDED = {
    "training_schedule": {"training": "scheduled", "runtime": "torch"},
    "weights": {"services": ["postgres", "bucket", "monitoring"], "training": "manual", "runtime": "torch"},
    "training": {"runtime": "torch"},
    "services": {"interfaces": ["cli", "api", "worker"]},
    "accelerator": {"torch_version": "2.11.0", "runtime": "torch"},
}
"""Answers without which another has few values."""


def all_changes() -> Iterable[tuple[Answers, Answers]]:
    """Yield each change of an answer from each of its values to each other; the presets take turns."""
    projects = itertools.cycle(preset for preset in CHOICES["preset"].values() if preset not in (*NO_PROJECT, "custom"))
    for name, values in all_values().items():
        about_existing = name in EXISTING
        for before, after in itertools.permutations(values, 2):
            preset = "existing" if about_existing else next(projects)
            start = {"preset": preset, **NEEDED.get(name, {}), name: before}
            yield start, {name: after}


ALWAYS = [*OFTEN, *REFUSED]
ROWS = [*ALWAYS, *(row for row in all_changes() if row not in ALWAYS)]


@dataclass(frozen=True)
class Changed:
    """A project after its answers were changed, and a fresh copy with the answers that it then has."""

    start: program.Done
    done: program.Done
    project: Path
    before: Answers
    fresh: Path | None


def change(template: Path, folder: Path, row: int) -> Changed:
    """Make the project of a row of the table, and change its answers."""
    start, changes = ROWS[row]
    project = folder / str(row) / "project"
    copied = program.copy(template, NEWEST, project, {"project_name": "My Project", **start})
    if copied.code:
        return Changed(copied, copied, project, {}, None)
    before = program.stored(project)
    git(project, "init", "--quiet")
    commit(project, "Start")
    done = program.copier("update", "--vcs-ref=:current:", *as_options(changes), project)
    fresh = None
    if done.code == 0:
        fresh = folder / str(row) / "fresh"
        answers = {name: value for name, value in program.stored(project).items() if not name.startswith("_")}
        again = program.copy(template, NEWEST, fresh, answers)
        assert again.code == 0, again.said
    return Changed(copied, done, project, before, fresh)


@pytest.fixture(scope="module")
def changed(lean: Path, tmp_path_factory: pytest.TempPathFactory, request: pytest.FixtureRequest) -> dict[int, Changed]:
    """Return what became of each row that is tested in this run, made by as many processes as there are CPUs."""
    calls = [getattr(item, "callspec", None) for item in request.session.items if item.path == request.path]
    wanted = sorted({call.params["row"] for call in calls if call and "row" in call.params})
    folder = tmp_path_factory.mktemp("changed")
    return dict(zip(wanted, program.each(partial(change, lean, folder), wanted), strict=True))


def parameters() -> list[Any]:
    """Return the rows of the table with names."""
    names = [f"{_text(start)} to {_text(changes)}" for start, changes in ROWS]
    marks: list[Any] = [() if row < len(ALWAYS) else pytest.mark.exhaustive for row in range(len(ROWS))]
    return [pytest.param(row, id=names[row], marks=marks[row]) for row in range(len(ROWS))]


def _text(answers: Answers) -> str:
    return ",".join(f"{name}={value}" for name, value in answers.items()).replace(" ", "").replace("'", "")


@pytest.mark.parametrize("row", parameters())
def test_a_change_ends_in_the_tree_of_a_fresh_copy_or_is_refused(changed: dict[int, Changed], row: int) -> None:
    result = changed[row]
    if result.start.code:
        pytest.skip(f"no project can have these answers: {result.start.said.strip()}")
    project, changes = result.project, ROWS[row][1]
    if result.fresh is None:
        assert result.done.is_refusal, result.done.said
        assert git(project, "status", "--porcelain") == ""
        return
    assert_clean(project)
    after = program.stored(project)
    assert {name: after.get(name) for name in changes} == changes
    others = {name for name in result.before.keys() & after.keys() if result.before[name] != after[name]}
    assert others - changes.keys() <= {"hf_revision"}, "another answer changed too"
    assert _differing(project, result.fresh) == []
    assert unresolved(project) == []


def test_only_changes_that_cannot_be_are_refused(changed: dict[int, Changed]) -> None:
    refused = [ROWS[row] for row, result in changed.items() if row < len(ALWAYS) and result.fresh is None]
    assert refused == [ROWS[row] for row in changed if ROWS[row] in REFUSED]


def _differing(project: Path, fresh: Path) -> list[str]:
    """Files that only one of the two has, or that differ; an owner's file may differ, but has to be in both."""
    one, other = _contents(project), _contents(fresh)
    both = one.keys() & other.keys()
    return sorted(
        (one.keys() ^ other.keys()) | {name for name in both if one[name] != other[name] and not is_owners(name)}
    )


def _contents(project: Path) -> dict[str, bytes]:
    found = (path for path in project.rglob("*") if path.is_file() and ".git" not in path.parts)
    return {str(path.relative_to(project)): path.read_bytes() for path in found}
