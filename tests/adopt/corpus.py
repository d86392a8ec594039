"""Small repositories of unlike shape, and the answers that an engineer gives for them.

`shapes/*.yml` hold most: files by path, and answers. `existing.yml` has the answers for the folders in tests/existing.
An answer that a shape does not name is expected to be empty, or the usual one.
"""

import shutil
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml

from adopt.proposal import propose
from tests.releases import ROOT, git

HERE = Path(__file__).parent
USUAL: dict[str, Any] = {"torch_version": "none", "accelerator": "cpu", "python_version": "3.11", "install": "no"}
SCORED = (
    "requirements_file", "requirements_dev", "torch_version", "accelerator", "python_version", "install", "code_paths",
    "working_folder", "commands", "api_app", "api_server", "health_route", "test_command", "output_folders", "keep",
    "processes", "services", "input_folders", "system_packages", "build_packages", "models", "front_ends",
)  # fmt: skip
"""The answers that are compared, in the order of the report."""


@dataclass(frozen=True)
class Shape:
    """A repository, and its answers."""

    name: str
    answers: dict[str, Any]
    files: dict[str, str] = field(default_factory=dict)
    branch: str = "main"
    project: str | None = None
    """The folder of the project that the answers are for, where there are several."""

    def write(self, folder: Path) -> Path:
        """Write the repository and add it to Git."""
        if self.files:
            for path, text in self.files.items():
                (folder / path).parent.mkdir(parents=True, exist_ok=True)
                (folder / path).write_text(text)
        else:
            shutil.copytree(ROOT / "tests/existing" / self.name, folder)
        git(folder, "init", "--quiet", "--initial-branch", self.branch)
        git(folder, "add", "--all")
        return folder


@dataclass(frozen=True)
class Mark:
    """One answer, compared."""

    shape: str
    answer: str
    expected: Any
    found: Any
    sureness: str
    right: bool

    @property
    def trivial(self) -> bool:
        """Whether nothing was expected and nothing found."""
        return not self.expected and not self.found


def shapes(held_out: bool = False) -> list[Shape]:
    """Return the repositories: those that the rules were written with, or those that were held out."""
    if held_out:
        return _read(HERE / "held_out")
    existing = yaml.safe_load((HERE / "existing.yml").read_text())
    return [Shape(name, answers) for name, answers in existing.items()] + _read(HERE / "shapes")


def _read(folder: Path) -> list[Shape]:
    return [Shape(file.stem, **yaml.safe_load(file.read_text())) for file in sorted(folder.glob("*.yml"))]


def marks(shape: Shape, folder: Path) -> list[Mark]:
    """Return each answer for a repository that was written to a folder, beside the one expected."""
    _, proposals = propose(folder)
    wanted = shape.project or shape.answers.get("working_folder", "")
    proposal = next((each for each in proposals if each.project.folder == wanted), proposals[0])
    found: list[Mark] = []
    for answer in dict.fromkeys([*SCORED, *shape.answers]):
        finding = proposal.findings.get(answer)
        expected = shape.answers.get(answer, USUAL.get(answer))
        if answer == "accelerator" and finding is None and expected == "cpu":
            continue
        value = finding.value if finding else None
        sureness = str(finding.sureness) if finding else "guess"
        found.append(Mark(shape.name, answer, expected, value, sureness, right(answer, expected, value)))
    return found


def right(answer: str, expected: Any, value: Any) -> bool:
    """Return whether a value is as good as the expected one.

    `{any: [...]}` names several good values; `{all: [...], may: [...]}` what a list must and may hold. Commands are
    compared by their command lines, whatever their names; lists without their order.
    """
    if isinstance(expected, dict) and set(expected) == {"any"}:
        return any(right(answer, each, value) for each in expected["any"])
    if answer == "commands" and isinstance(value, dict):
        value = list(value.values())
    if answer == "processes" and isinstance(value, dict):
        value = [each["command"] for each in value.values()]
    if answer == "front_ends" and isinstance(value, dict):
        value = {folder: each["frontend"] for folder, each in value.items()}
    if isinstance(expected, dict) and "all" in expected:
        given = set(map(str, value or []))
        return set(expected["all"]) <= given <= {*expected["all"], *expected.get("may", [])}
    if isinstance(expected, list):
        return sorted(map(str, expected)) == sorted(map(str, value or []))
    return (expected or None) == (value or None)
