"""Front ends in tests/frontends, with the answers about them, and the new one of the template."""

import json
import shutil
from pathlib import Path
from typing import Any

import yaml

from tests.answers import ROOT
from tests.releases import NEWEST, commit, copier, git

THEIRS = ROOT / "tests/frontends"
SETS: dict[str, dict[str, Any]] = {"starter": {}, **yaml.safe_load((THEIRS / "answers.yml").read_text())}
"""Front end -> its answers."""


def with_containers(template: Path, name: str, folder: Path, **answers: Any) -> Path:
    """Return a copy of a front end with containers added, committed; `answers` are added to its own."""
    if name == "starter":
        folder.mkdir()
    else:
        shutil.copytree(THEIRS / name, folder)
    git(folder, "init", "--quiet")
    data = {"preset": "frontend", **SETS[name], **answers}
    texts = {key: json.dumps(value) if isinstance(value, list) else value for key, value in data.items()}
    options = [f"--data={key}={text}" for key, text in texts.items()]
    done = copier("copy", "--defaults", "--vcs-ref", NEWEST, *options, template, ".", cwd=folder)
    assert done.returncode == 0, done.stderr
    commit(folder, "Add containers")
    return folder
