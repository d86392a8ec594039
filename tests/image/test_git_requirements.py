"""Images of projects that require a package from a Git repository, which a server of this machine has."""

import shutil
import threading
from collections.abc import Callable, Iterator
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from tests.engine import address, build, docker
from tests.releases import commit, git

pytestmark = [pytest.mark.image, pytest.mark.exhaustive]

MANIFEST = """
[build-system]
requires = ["hatchling"]
build-backend = "hatchling.build"

[project]
name = "ours"
version = "1.2.3"
"""


@pytest.fixture
def repository(tmp_path: Path) -> Iterator[str]:
    """Yield the address of a repository with a package `ours`."""
    package = tmp_path / "package"
    (package / "ours").mkdir(parents=True)
    (package / "ours/__init__.py").write_text("ANSWER = 42\n")
    (package / "pyproject.toml").write_text(MANIFEST)
    git(package, "init", "--quiet")
    commit(package, "Start")
    git(tmp_path, "clone", "--quiet", "--bare", package, "served/ours.git")
    git(tmp_path / "served/ours.git", "update-server-info")
    handler = partial(SimpleHTTPRequestHandler, directory=tmp_path / "served")
    with ThreadingHTTPServer((address(), 0), handler) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield f"http://{address()}:{server.server_port}/ours.git"
        server.shutdown()
        thread.join()


def test_a_package_from_git_is_locked_and_installed(
    project: Callable[[str], Path], repository: str, tmp_path: Path, tags: list[str]
) -> None:
    folder = shutil.copytree(project("small"), tmp_path / "project")
    manifest = folder / "pyproject.toml"
    required = f'"ours @ git+{repository}"'
    manifest.write_text(manifest.read_text().replace("dependencies = [\n", f"dependencies = [\n  {required},\n", 1))
    locked = build(folder, "--target=lock", f"--output={folder}")
    assert locked.returncode == 0, locked.output
    assert f'source = {{ git = "{repository}#' in (folder / "uv.lock").read_text()
    tags.append("slipway-test-git")
    done = build(folder, "--tag=slipway-test-git")
    assert done.returncode == 0, done.output
    shown = docker("run", "--rm", "slipway-test-git", "python", "-c", "import ours; print(ours.ANSWER)")
    assert shown.stdout.strip() == "42"
    assert docker("run", "--rm", "slipway-test-git", "sh", "-c", "command -v git || echo none").stdout.strip() == "none"
