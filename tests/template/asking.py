"""Ask the template's questions without rendering its files, as a copy and an update do, in this process.

Uses private modules of Copier, and takes milliseconds where the program takes seconds.
"""

import shutil
from collections.abc import Mapping
from pathlib import Path

import yaml
from copier._main import Worker
from copier.errors import UserMessageError

from tests.answers import ROOT
from tests.trees import compile_once

ANSWERS = ".copier-answers.yml"


class RefusalError(Exception):
    """The line that Copier prints before it exits with code 1."""


class Questions:
    """The questions of the working tree, copied into a folder outside Git."""

    def __init__(self, folder: Path) -> None:
        compile_once()
        self.template = folder / "template"
        self.template.mkdir(parents=True)
        shutil.copy(ROOT / "copier.yml", self.template)
        shutil.copytree(ROOT / "extensions", self.template / "extensions")
        self.project = folder / "my-project"
        self.project.mkdir()
        self.read = Worker(src_path=str(self.template)).template  # reads the YAML once

    def answers(self, data: Mapping[str, object], stored: Mapping[str, object] | None = None) -> dict[str, object]:
        """Return the answers that a copy stores, or an update of a project with `stored` answers.

        Raises:
            RefusalError: If Copier refuses the answers.
        """
        (self.project / ANSWERS).unlink(missing_ok=True)
        if stored is not None:
            (self.project / ANSWERS).write_text(yaml.safe_dump(dict(stored)))
        worker = Worker(src_path=str(self.template), dst_path=self.project, data=dict(data), defaults=True, quiet=True)
        worker.__dict__["template"] = self.read
        try:
            worker._ask()
        except UserMessageError as error:
            assert "\n" not in error.message
            raise RefusalError(error.message) from None
        return dict(worker._answers_to_remember())
