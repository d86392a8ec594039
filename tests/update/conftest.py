"""Clones of the template that projects are made from and updated to."""

from pathlib import Path

import pytest

from tests.releases import NEWEST, commit, git
from tests.update import maintainer


@pytest.fixture(scope="session")
def lean(template: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return the working tree with what makes a project alone, which copies faster, tagged as the newest release."""
    folder = tmp_path_factory.mktemp("lean") / "template"
    git(template, "clone", "--quiet", template, folder)
    git(folder, "rm", "-r", "--quiet", "tests", "docs", "benchmarks", "examples", ".github", ".ci")
    commit(folder, "The template alone", NEWEST)
    git(folder, "gc", "--quiet")  # every copy clones this once more
    return folder


@pytest.fixture(scope="session")
def newer(template: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a clone with the release of a maintainer after the working tree's."""
    return maintainer.release(template, tmp_path_factory.mktemp("newer") / "template")
