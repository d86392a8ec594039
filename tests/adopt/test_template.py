"""The template takes the answers for every shape, except where no file lists dependencies that images can read."""

import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from adopt.emission import answers
from adopt.proposal import propose
from tests.adopt.corpus import Shape, shapes
from tests.conftest import rows
from tests.releases import ROOT

EVERY = [*shapes(), *shapes(held_out=True)]
SAMPLE = ("django-celery-subfolder", "own-docker-folder", "src-hydra")
UNREADABLE = {"pipfile"}
"""Shapes whose dependencies are in a file that images cannot read: Copier refuses them with one line."""


@pytest.mark.parametrize("name", rows([shape.name for shape in EVERY], SAMPLE))
def test_template_takes_the_answers(name: str, template: Path, tmp_path: Path) -> None:
    shape = next(shape for shape in EVERY if shape.name == name)
    _, proposals = propose(shape.write(tmp_path / name))
    proposal = next((each for each in proposals if each.project.folder == chosen(shape)), proposals[0])
    file = tmp_path / "answers.yml"
    file.write_text(yaml.safe_dump(answers(proposal.findings)))
    words = ["copy", "--defaults", "--quiet", "--vcs-ref", "HEAD", "--data-file", file, template, tmp_path / "out"]

    done = subprocess.run([sys.executable, "-m", "copier", *words], cwd=ROOT, capture_output=True, text=True)

    if name in UNREADABLE:
        assert "is not a list of requirements" in done.stderr
        return
    assert done.returncode == 0, done.stderr
    stored = yaml.safe_load((tmp_path / "out/.copier-answers.yml").read_text())
    for answer, value in answers(proposal.findings).items():
        assert stored[answer] == value, answer


def chosen(shape: Shape) -> str:
    """Return the folder of the project that a shape is about."""
    return str(shape.project or shape.answers.get("working_folder", ""))
