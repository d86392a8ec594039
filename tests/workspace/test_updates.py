"""Update the services of a workspace, one commit for each, up to the first conflict."""

import re
import shutil
from pathlib import Path

import pytest

from tests.conftest import need_program
from tests.releases import NEWEST, as_options, commit, copier, git, releases
from tests.update import maintainer
from tests.workspace.workspace import Workspace, made

REPOSITORY = Path(__file__).resolve().parent.parent / "existing/api-string"
ANSWERS = {
    "preset": "existing",
    "api_app": "moldash.asgi:app",
    "code_paths": ["moldash"],
    "torch_version": "none",
    "ci": "none",
}
OFFLINE = "ARGS=--no-lock --no-test"


@pytest.fixture(scope="module")
def workspace(template: Path, tmp_path_factory: pytest.TempPathFactory) -> Workspace:
    """Return a workspace whose services come from the last release, and are in three states."""
    need_program("docker")
    folder = tmp_path_factory.mktemp("updates")
    newer = maintainer.release(template, folder / "template")
    workspace = made(newer, folder / "farm")
    for name in ("first", "second", "third"):
        service = workspace.root / "services" / name
        shutil.copytree(REPOSITORY, service)
        release = NEWEST if name == "second" else list(releases())[-1]
        answers = as_options({**ANSWERS, "project_slug": name})
        done = copier("copy", "--defaults", "--quiet", "--vcs-ref", release, *answers, newer, service)
        assert done.returncode == 0, done.stderr
        done = workspace.service(name, "")
        assert done.returncode == 0, done.stderr
    edited = workspace.root / "services/second/docker/doctor/environment.py"
    edited.write_text(edited.read_text() + "\n\n# A line of the owner.\n")
    commit(workspace.root, "Add services")
    return workspace


def test_updates_are_committed_one_by_one_up_to_the_first_conflict(workspace: Workspace) -> None:
    root = workspace.root
    last = list(releases())[-1]
    (root / "notes.txt").write_text("mine")
    done = workspace.make("update-services", OFFLINE)
    assert done.returncode != 0 and "not committed" in done.stderr
    (root / "notes.txt").unlink()

    done = workspace.make("update-services", OFFLINE)
    assert done.returncode != 0
    assert "second: the update stopped" in done.stderr
    assert git(root, "log", "-1", "--format=%s").strip() == f"Update first from {last} to {maintainer.RELEASE}"
    changed = git(root, "show", "--format=", "--name-only").split()
    assert changed and all(re.match(r"(services|generated)/first\b", path) for path in changed), changed
    assert maintainer.FIX.strip() in (root / "services/first/docker/doctor/environment.py").read_text()
    conflicts = git(root, "diff", "--name-only", "--diff-filter=U").split()
    assert conflicts == ["services/second/docker/doctor/environment.py"]
    assert f"_commit: {last}" in (root / "services/third/.copier-answers.yml").read_text()

    git(root, "checkout", "--theirs", "--", *conflicts)
    commit(root, "Solve the conflict")
    done = workspace.make("update-services", OFFLINE)
    assert done.returncode == 0, done.stderr
    assert git(root, "log", "-1", "--format=%s").strip() == f"Update third from {last} to {maintainer.RELEASE}"
    assert done.stdout.rstrip().endswith("Updated: third")
    assert git(root, "status", "--porcelain") == ""
    assert workspace.make("check").returncode == 0
