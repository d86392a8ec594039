"""Repositories with containers added, and their images: built once, removed at the end."""

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.engine import attempt, build, need_engine
from tests.existing_code.repositories import dockerfile, given
from tests.releases import commit


@pytest.fixture(scope="session")
def locked(template: Path, tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], Path]:
    """Return a function that adds containers and locks to a repository, once for each."""
    need_engine()
    made: dict[str, Path] = {}

    def locked(name: str) -> Path:
        if name not in made:
            slug = f"slipway-test-existing-{name}"
            folder = given(template, name, tmp_path_factory.mktemp("theirs") / name, project_slug=slug)
            done = build(folder, dockerfile(folder), "--target=lock", f"--output={folder}")
            assert done.returncode == 0, done.output
            commit(folder, "Lock")
            made[name] = folder
        return made[name]

    return locked


@pytest.fixture(scope="session")
def image(locked: Callable[[str], Path]) -> Iterator[Callable[[str], str]]:
    """Yield a function that builds a repository's production image, once for each; remove the images at the end."""
    made: dict[str, str] = {}

    def image(name: str) -> str:
        if name not in made:
            tag = f"slipway-test-existing-{name}"
            done = build(locked(name), dockerfile(locked(name)), f"--tag={tag}")
            assert done.returncode == 0, done.output
            made[name] = tag
        return made[name]

    yield image
    if made:
        attempt("image", "rm", "--force", *made.values())
