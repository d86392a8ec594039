"""Folders that are no repository, or a hostile one: one line, within bounds, and no traceback."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from adopt import repository
from adopt.proposal import notices, propose
from adopt.repository import Repository, UnreadableError
from tests.releases import ROOT, git


def write(folder: Path, files: dict[str, str | bytes]) -> Path:
    for name, content in files.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(content.encode() if isinstance(content, str) else content)
    return folder


def warned(folder: Path) -> str:
    return "\n".join(map(str, notices(*propose(folder))))


@pytest.mark.parametrize(
    ("files", "named", "line"),
    [
        ({}, "missing", "is not a folder; name the folder of a repository"),
        ({}, "", "has no file of code; name the folder of a repository"),
        ({"file.txt": ""}, "file.txt", "is not a folder; name the folder of a repository"),
    ],
)
def test_what_is_no_repository_fails_with_one_line(
    files: dict[str, str | bytes], named: str, line: str, tmp_path: Path
) -> None:
    write(tmp_path, files)
    words = [sys.executable, "-m", "adopt", "--yes", tmp_path / named]

    done = subprocess.run(words, cwd=ROOT, capture_output=True, text=True)

    assert done.returncode == 1
    assert done.stderr.startswith("adopt: ") and done.stderr.endswith(f"{line}\n") and done.stderr.count("\n") == 1


JUNK = bytes(range(256)) * 40
BOMB = "a: &a0 [x, x]\n" + "".join(f"b{i}: &a{i + 1} [*a{i}, *a{i}, *a{i}]\n" for i in range(40))
BROKEN: dict[str, dict[str, str | bytes]] = {
    "binary": dict.fromkeys(
        ["a.py", "requirements.txt", "pyproject.toml", "compose.yaml", "Dockerfile", "package.json", "Makefile"], JUNK
    ),
    "aliases": {"a.py": "", "compose.yaml": f"{BOMB}services: {{web: {{build: ., command: *a40, ports: *a40}}}}\n"},
    "depth": {"a.py": "[" * 50_000, "environment.yml": "[" * 50_000, "package.json": "[" * 50_000, "b.py": "-" * 9_999},
    "types": {
        "a.py": "import numpy\n",
        "pyproject.toml": '[project]\nname = 1\ndependencies = "x"\noptional-dependencies = {a = "b"}\nscripts = 5\n'
        "[tool]\npoetry = 3\nuv = 1\n[dependency-groups]\ndev = [{include-group = 1}, 2]\n",
        "package.json": '{"dependencies": [], "scripts": 4}',
        "compose.yaml": "services: [1, 2]\n",
        "docker-compose.yml": "services: {a: {build: 3, command: 4, ports: x, volumes: 1, environment: [1, null]}}\n",
        "Dockerfile": "FROM\nRUN\nCMD [\nWORKDIR\nHEALTHCHECK\nEXPOSE x\nENTRYPOINT {}\n",
        "setup.cfg": "[options]\ninstall_requires = %(x)s\n",
        "setup.py": "from setuptools import setup\nsetup(**x, install_requires=[*y, 1], extras_require={**z})",
        "environment.yml": "dependencies: [1, null, {pip: 3}, {pip: [4]}]\n",
        "Pipfile": "packages = 3\n",
        ".github/workflows/a.yml": "jobs: {a: {steps: [{run: 1}], services: [x]}}\n",
        "Makefile": "a:\n\t'unclosed\n",
    },
}


@pytest.mark.parametrize("kind", BROKEN)
def test_broken_files_are_left_out(kind: str, tmp_path: Path) -> None:
    _, proposals = propose(write(tmp_path, BROKEN[kind]))
    warned(tmp_path)

    assert proposals[0].findings["python_version"].value == "3.11"


def test_broken_files_are_named(tmp_path: Path) -> None:
    write(tmp_path, {"a.py": "def (\n", "pyproject.toml": "[project\n", **BROKEN["aliases"]})

    text = warned(tmp_path)

    assert "pyproject.toml: cannot be read: " in text
    assert "compose.yaml: is left out: its aliases stand for too many values" in text


def test_links_and_pipes_are_not_followed(tmp_path: Path) -> None:
    outside = write(tmp_path / "outside", {"secret.py": "from fastapi import FastAPI\napp = FastAPI()\n"})
    folder = write(tmp_path / "repository", {"a.py": "", "requirements.txt": "requests\n"})
    (folder / "loop").symlink_to(folder, target_is_directory=True)
    (folder / "secret.py").symlink_to(outside / "secret.py")
    os.mkfifo(folder / "pipe.py")

    _, proposals = propose(folder)

    assert proposals[0].findings["api_app"].value == ""


def test_large_files_and_many_files_are_bounded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(repository, "MAX_FILES", 20)
    write(tmp_path, {"requirements.txt": "flask\n", "a.py": b"#" * (repository.MAX_FILE_BYTES + 1)})
    write(tmp_path, {f"many/{number}.txt": "" for number in range(40)})

    found = Repository(tmp_path)

    assert len(found.files) == 20
    assert "only 20 of " in str(found.notices[0])
    assert found.text("a.py") == ""


def test_no_program_that_a_repository_names_runs(tmp_path: Path) -> None:
    folder = write(tmp_path / "theirs", {"setup.py": "open('ran', 'w')\n", "conftest.py": "open('ran', 'w')\n"})
    git(folder, "init", "--quiet")
    hook = write(tmp_path, {"hook": f"#!/bin/sh\ntouch {tmp_path}/ran\n"}) / "hook"
    hook.chmod(0o755)
    git(folder, "config", "core.fsmonitor", str(hook))

    propose(folder)

    assert not (tmp_path / "ran").exists() and not (folder / "ran").exists()


def test_files_that_git_ignores_are_left_out(tmp_path: Path) -> None:
    folder = write(
        tmp_path,
        {"requirements.txt": "flask\n", "app.py": "import secret.keys\nimport flask\n", "secret/__init__.py": ""},
    )
    write(folder, {".gitignore": "keys.py\nold/\n", "secret/keys.py": "", "old/app.py": "import fastapi\n"})
    git(folder, "init", "--quiet")

    survey, proposals = propose(folder)

    assert "old/app.py" not in survey.repository.files
    assert "app.py:1: imports secret.keys, which .gitignore:1 keeps out of Git" in map(str, notices(survey, proposals))


def test_a_folder_without_git_is_read_too(tmp_path: Path) -> None:
    write(tmp_path, {"requirements.txt": "flask\n", "a.py": "", ".gitignore": "old/\n", "old/b.py": ""})
    assert Repository(tmp_path).files == [".gitignore", "a.py", "requirements.txt"]
    assert "this is no Git repository" in warned(tmp_path)


def test_bad_path_raises(tmp_path: Path) -> None:
    with pytest.raises(UnreadableError, match="is not a folder"):
        Repository(tmp_path / "missing")
