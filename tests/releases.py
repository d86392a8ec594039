"""Projects made from a release of the template, worked on, and updated to the working tree: as users do it.

Everything runs the real `copier` and `git` programs; nothing passes --trust.
"""

import json
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import yaml

from tests.program import run

ROOT = Path(__file__).resolve().parent.parent
NEWEST = "999.0.0"
"""Tag of the working tree in a clone: newer than every release."""


def git(folder: Path, *arguments: str | Path) -> str:
    """Return what git prints; fail if git does."""
    identity = ["-c", "user.name=Somebody", "-c", "user.email=somebody@example.org", "-c", "commit.gpgsign=false"]
    done = run(["git", *identity, *arguments], cwd=folder)
    assert done.returncode == 0, f"git {arguments}: {done.stderr}"
    return done.stdout


def commit(folder: Path, message: str, tag: str = "") -> None:
    """Commit everything in the folder, even nothing, and tag it."""
    git(folder, "add", "--all")
    git(folder, "commit", "--quiet", "--allow-empty", "--no-verify", "--message", message)
    if tag:
        git(folder, "tag", "--force", tag)


def copier(*arguments: str | Path, cwd: Path | None = None) -> subprocess.CompletedProcess[str]:
    """Run the copier program with no terminal; never raise for its exit code."""
    return run([sys.executable, "-m", "copier", *arguments], cwd=cwd, stdin=subprocess.DEVNULL)


def as_options(data: dict[str, Any]) -> list[str]:
    """Answers as options of the command line."""
    values = {name: value if isinstance(value, str) else json.dumps(value) for name, value in data.items()}
    return [f"--data={name}={value}" for name, value in values.items()]


def releases() -> dict[str, str]:
    """Release -> its commit, of those that can be updated, the oldest first."""
    listed: dict[str, str] = yaml.safe_load((ROOT / "tests/releases.yml").read_text("utf-8"))["releases"]
    return listed


def first_and_last() -> list[str]:
    """Return the releases that differ most from each other: every run of the tests updates projects of these."""
    listed = list(releases())
    return [listed[0], listed[-1]]


def refused_releases() -> dict[str, str]:
    """Release -> its commit, of those that are too old to be updated."""
    listed: dict[str, str] = yaml.safe_load((ROOT / "tests/releases.yml").read_text("utf-8"))["refused"]
    return listed


def clone(folder: Path) -> Path:
    """Return a clone of this repository with its releases tagged and the working tree as the newest one."""
    git(ROOT, "clone", "--quiet", "--no-tags", ROOT, folder)
    for release, revision in (refused_releases() | releases()).items():
        git(folder, "tag", release, git(ROOT, "rev-parse", revision).strip())
    tracked = git(folder, "ls-files", "-z").split("\0")
    present = git(ROOT, "ls-files", "-z", "--cached", "--others", "--exclude-standard").split("\0")
    for name in filter(None, tracked):
        (folder / name).unlink()
    for name in filter(None, present):
        if (ROOT / name).exists():
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(ROOT / name, folder / name)
    commit(folder, "The working tree", NEWEST)
    git(folder, "gc", "--quiet")  # every copy clones this once more
    return folder


def copied(template: Path, release: str, destination: Path, data: dict[str, Any] | None = None) -> Path:
    """Return a project, committed, as a release makes it; named My Project, whatever its folder is called."""
    answers = {"project_name": "My Project"} | (data or {})
    done = copier("copy", "--defaults", "--quiet", "--vcs-ref", release, *as_options(answers), template, destination)
    assert done.returncode == 0, done.stderr
    git(destination, "init", "--quiet")
    commit(destination, "Start")
    return destination


def package(project: Path) -> Path:
    """Return the folder of the project's sources."""
    return next((project / "src").iterdir())


def assert_clean(project: Path) -> None:
    """No conflict, in the index or in a file."""
    assert git(project, "ls-files", "--unmerged") == ""
    marked = run(["git", "grep", "--untracked", "-lE", "^(<<<<<<<|>>>>>>>)"], cwd=project)
    assert marked.stdout == ""
    assert not list(project.rglob("*.rej"))
