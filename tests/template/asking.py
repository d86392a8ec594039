"""The questions of the template without its files: what a copy and an update make of answers, in this process.

Reaches into Copier's own modules, and takes milliseconds where the program takes seconds.
"""

import shutil
from pathlib import Path
from typing import Any

import yaml
from copier._main import Worker
from copier.errors import UserMessageError

from tests.answers import ROOT
from tests.trees import compile_once

ANSWERS = ".copier-answers.yml"


class Refused(Exception):
    """What Copier would print, in one line, before it exits with code 1."""


class Questions:
    """The questions of the working tree, in a folder of their own that Git does not know."""

    def __init__(self, folder: Path) -> None:
        compile_once()
        self.template = folder / "template"
        self.template.mkdir(parents=True)
        shutil.copy(ROOT / "copier.yml", self.template)
        shutil.copytree(ROOT / "extensions", self.template / "extensions")
        self.project = folder / "my-project"
        self.project.mkdir()
        self.read = Worker(src_path=str(self.template)).template  # its YAML is read once

    def answers(self, data: dict[str, Any], stored: dict[str, Any] | None = None) -> dict[str, Any]:
        """The answers that a copy stores, or an update of a project that has stored some. Raises Refused."""
        (self.project / ANSWERS).unlink(missing_ok=True)
        if stored is not None:
            (self.project / ANSWERS).write_text(yaml.safe_dump(stored))
        worker = Worker(src_path=str(self.template), dst_path=self.project, data=data, defaults=True, quiet=True)
        worker.__dict__["template"] = self.read
        try:
            worker._ask()
        except UserMessageError as error:
            assert "\n" not in error.message
            raise Refused(error.message) from None
        return dict(worker._answers_to_remember())

    def replayed(self, stored: dict[str, Any]) -> dict[str, Any]:
        """The answers of a project as an update renders its old release: all of them are data."""
        return self.answers(stored)
