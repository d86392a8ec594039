"""Projects made from a release of the template, worked on, and updated to the working tree: as users do it.

Everything runs the real `copier` and `git` programs; nothing passes --trust.
"""

import json
import re
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

import yaml

from tests.program import run

ROOT = Path(__file__).resolve().parent.parent
NEWEST = "999.0.0"
"""Tag of the working tree in a clone: newer than every release."""

ROUTE = '''

@app.get("/greeting")
async def greeting() -> dict[str, str]:
    """A route of the user's own."""
    return {"greeting": get_settings().greeting}
'''
SETTING = '''    greeting: str = "Hello"
    """A setting of the user's own."""
'''
VERB = """
.PHONY: greet
greet: ## Say hello
	@echo Hello
"""
DEPENDENCY = '  "packaging>=24",\n'
README = "# My own page\n\nNothing of the template is left here.\n"


def git(folder: Path, *arguments: str | Path) -> str:
    """What git prints; fails if git does."""
    identity = ["-c", "user.name=Somebody", "-c", "user.email=somebody@example.org", "-c", "commit.gpgsign=false"]
    done = run(["git", *identity, *arguments], cwd=folder)
    assert done.returncode == 0, f"git {arguments}: {done.stderr}"
    return done.stdout


def commit(folder: Path, message: str, tag: str = "") -> None:
    """Commits everything in the folder, even nothing, and tags it."""
    git(folder, "add", "--all")
    git(folder, "commit", "--quiet", "--allow-empty", "--no-verify", "--message", message)
    if tag:
        git(folder, "tag", "--force", tag)


def copier(*arguments: str | Path, cwd: Path | None = None) -> subprocess.CompletedProcess[str]:
    """Runs the copier program with no terminal; never raises for its exit code."""
    return run([sys.executable, "-m", "copier", *arguments], cwd=cwd, stdin=subprocess.DEVNULL)


def as_options(data: dict[str, Any]) -> list[str]:
    """Answers as options of the command line."""
    values = {name: value if isinstance(value, str) else json.dumps(value) for name, value in data.items()}
    return [f"--data={name}={value}" for name, value in values.items()]


def releases() -> dict[str, str]:
    """Release -> its commit; before the first release, the last commit stands for one."""
    listed = ROOT / "tests/releases.yml"
    return (yaml.safe_load(listed.read_text("utf-8")) if listed.exists() else None) or {"0.0.1": "HEAD"}


def clone(folder: Path) -> Path:
    """A clone of this repository with its releases tagged and the working tree as the newest one."""
    git(ROOT, "clone", "--quiet", "--no-tags", ROOT, folder)
    for release, revision in releases().items():
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
    """A project as a release of the template makes it, committed."""
    done = copier("copy", "--defaults", "--quiet", "--vcs-ref", release, *as_options(data or {}), template, destination)
    assert done.returncode == 0, done.stderr
    git(destination, "init", "--quiet")
    commit(destination, "Start")
    return destination


def package(project: Path) -> Path:
    """The folder of the project's sources."""
    return next((project / "src").iterdir())


def edit(project: Path) -> None:
    """Changes what users change, and commits it."""
    (project / "README.md").write_text(README)
    (project / ".pre-commit-config.yaml").unlink()
    with (project / "Makefile").open("a") as makefile:
        makefile.write(VERB)
    settings = package(project) / "settings.py"
    settings.write_text(settings.read_text().replace("\n\n\n@lru_cache", f"\n\n{SETTING}\n\n@lru_cache"))
    api = package(project) / "api.py"
    if api.exists():
        api.write_text(api.read_text() + ROUTE)
    manifest = project / "pyproject.toml"
    manifest.write_text(re.sub(r"^dependencies = \[\n(.*?)^\]", _add, manifest.read_text(), count=1, flags=re.M | re.S))
    commit(project, "My own work")


def _add(found: re.Match[str]) -> str:
    """The dependencies and one more, in order."""
    return "dependencies = [\n" + "".join(sorted([*found[1].splitlines(keepends=True), DEPENDENCY])) + "]"


def assert_clean(project: Path) -> None:
    """No conflict, in the index or in a file."""
    assert git(project, "ls-files", "--unmerged") == ""
    marked = run(["git", "grep", "--untracked", "-lE", "^(<<<<<<<|>>>>>>>)"], cwd=project)
    assert marked.stdout == ""
    assert not list(project.rglob("*.rej"))


def updated_from(template: Path, release: str, destination: Path, data: dict[str, Any] | None = None) -> Path:
    """A project of the release, worked on as users do and updated, with no conflict; the update is not committed."""
    project = copied(template, release, destination, data)
    edit(project)
    done = copier("update", "--defaults", "--quiet", cwd=project)
    assert done.returncode == 0, done.stderr
    assert_clean(project)
    return project


def updated_project(release: str, destination: Path, data: dict[str, Any] | None = None) -> Path:
    """The same with a clone of its own, for tests that install the project and run its tests."""
    with tempfile.TemporaryDirectory() as folder:
        return updated_from(clone(Path(folder) / "template"), release, destination, data)
