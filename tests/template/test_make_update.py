"""`make update` in a project, with the real copier and git: it refuses what could lose work and reports what it did.

`make lock` and `make test` are stand-ins that record their calls: the real ones take minutes, and tests/project runs
them on updated projects.
"""

import os
import re
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from subprocess import CompletedProcess
from typing import Protocol

import pytest
import yaml

from tests.conftest import need_program
from tests.program import run
from tests.releases import NEWEST, commit, copied, git

NEXT = "1000.0.0"
ANSWERS = ".copier-answers.yml"
FIX = "# A fix of the maintainer.\n"
OWN = "# Written by the owner.\n"
CHANGES = f"""# Changelog

## Unreleased

- Not released yet.

## v{NEXT}

- A fix in errors.py.

## v{NEWEST}

- The release that projects have.
"""
MAKE = """#!/bin/sh
echo "$@" >> "$MADE"
test "$1" != "$FAILING"
"""


@pytest.fixture(scope="module")
def newer(template: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a clone of the template with one more release: a fix, a new update program, a dependency, a new file."""
    folder = tmp_path_factory.mktemp("newer") / "template"
    git(template, "clone", "--quiet", template, folder)
    (folder / "CHANGELOG.md").write_text(CHANGES)
    project = folder / "template/project"
    for path in (project / "src/{{ package_name }}/errors.py", folder / "extensions/update.py"):
        path.write_text(path.read_text() + FIX)
    manifest = project / "pyproject.toml.jinja"
    manifest.write_text(manifest.read_text().replace('"rich>=14"', '"rich>=14.1"'))
    for name in ("new", "ignored"):
        (project / f"docs/{name}.md").write_text("# New\n")
    commit(folder, "Next", NEXT)
    return folder


@pytest.fixture(scope="module")
def made(newer: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a small project of the previous release; tests only read it."""
    data = {"preset": "cli", "hf_task": "custom", "interfaces": ["api", "cli"]}
    return copied(newer, NEWEST, tmp_path_factory.mktemp("made") / "project", data)


@pytest.fixture
def project(made: Path, tmp_path: Path) -> Path:
    """Return a copy of the project that the test may change."""
    return Path(shutil.copytree(made, tmp_path / "project"))


@pytest.fixture
def environment(tmp_path: Path) -> dict[str, str]:
    """Return an environment with this repository's copier and a make that only records its arguments."""
    programs = tmp_path / "programs"
    programs.mkdir()
    (programs / "make").write_text(MAKE)
    (programs / "make").chmod(0o755)
    path = os.pathsep.join([str(programs), str(Path(sys.executable).parent), os.environ["PATH"]])
    identity = {f"GIT_{who}_{what}": "me@example.org" for who in ("AUTHOR", "COMMITTER") for what in ("NAME", "EMAIL")}
    return {**os.environ, **identity, "PATH": path, "MADE": str(tmp_path / "made.txt"), "FAILING": "nothing"}


class Update(Protocol):
    """Run the project's update program; never raise for its exit code."""

    def __call__(self, *options: str, program: str = "tools/update.py", **changed: str) -> CompletedProcess[str]:
        """Run it with options and changed environment variables."""
        ...


@pytest.fixture
def update(project: Path, environment: dict[str, str]) -> Update:
    """Return a function that runs the project's update program."""

    def update(*options: str, program: str = "tools/update.py", **changed: str) -> CompletedProcess[str]:
        return run([sys.executable, program, *options], cwd=project, env={**environment, **changed})

    return update


def makes(environment: dict[str, str]) -> list[str]:
    """Return the recorded arguments of make."""
    noted = Path(environment["MADE"])
    return noted.read_text().split() if noted.exists() else []


def answers(project: Path) -> dict[str, object]:
    """Return the project's answers."""
    found = yaml.safe_load((project / ANSWERS).read_text())
    assert isinstance(found, dict)
    return found


def replace(path: Path, old: str, new: str) -> None:
    """Replace text in a file; fail if the file does not contain it."""
    text = path.read_text()
    assert old in text
    path.write_text(text.replace(old, new))


def work(project: Path) -> None:
    """Edit a file of the owner's, a marked place and a file of ours, delete files, and commit."""
    for name in ("README.md", "docs/command-line.md", "tests/example.py"):
        (project / name).unlink()
    with (project / "src/my_project/model.py").open("a") as file:
        file.write(OWN)
    replace(project / "src/my_project/cli/program.py", '"""', f'{OWN}"""')
    replace(project / "pyproject.toml", "own = [\n", 'own = [\n  "packaging",\n')
    replace(project / "compose.yaml", "# to here", "  own:\n    image: own\n# to here")
    replace(project / ".env.example", "# to here", "OWN=1\n# to here")
    replace(project / ".github/workflows/ci.yml", "# to here", "  own: {runs-on: own}\n# to here")
    (project / "own.mk").write_text("own:\n\techo own\n")
    with (project / ".gitignore").open("a") as file:
        file.write("ignored.md\n")
    commit(project, "My own work")
    (project / "docs/ignored.md").write_text(OWN)


def test_an_update_brings_the_fix_keeps_the_owners_work_and_can_be_undone(
    project: Path, update: Update, environment: dict[str, str]
) -> None:
    work(project)
    before = _state(project)
    done = update("--report", str(project.parent / "report.md"))
    assert done.returncode == 0, done.stdout + done.stderr
    assert answers(project)["_commit"] == NEXT
    assert git(project, "ls-files", "--unmerged") == ""
    assert (project / "src/my_project/errors.py").read_text().endswith(FIX)
    assert (project / "tools/update.py").read_text().endswith(FIX)
    assert (project / "docs/new.md").exists()
    for name in ("src/my_project/model.py", "src/my_project/cli/program.py"):
        assert OWN in (project / name).read_text()
    manifest = (project / "pyproject.toml").read_text()
    assert '"packaging"' in manifest and '"rich>=14.1"' in manifest
    assert "image: own" in (project / "compose.yaml").read_text()
    assert not (project / "README.md").exists() and not (project / "docs/command-line.md").exists()
    assert (project / "tests/example.py").exists()  # tests of ours need it
    said = done.stdout
    assert f"Update from Slipway {NEWEST} to {NEXT}" in said
    assert "A fix in errors.py." in said
    assert "Not released yet." not in said and "The release that projects have." not in said
    assert "- docs/new.md" in said
    assert "README.md" not in said  # Copier does not create a file again that the owner deleted
    assert (project / "docs/ignored.md").read_text() == OWN
    assert re.search(r"Git ignores.*:\n\n- docs/ignored.md", said)
    assert makes(environment) == ["lock", "test"]
    report = (project.parent / "report.md").read_text()
    assert report.startswith(f"Update from Slipway {NEWEST} to {NEXT}\n") and "A fix in errors.py." in report
    undo = said.splitlines()[-1].removeprefix("To undo the update: ")
    assert run(["bash", "-c", undo], cwd=project).returncode == 0
    assert git(project, "status", "--porcelain") == ""
    assert _state(project) == before


def test_a_conflict_is_listed_and_stops_before_lock_and_tests(
    project: Path, update: Update, environment: dict[str, str]
) -> None:
    with (project / "src/my_project/errors.py").open("a") as file:
        file.write(OWN)
    commit(project, "My own work")
    done = update()
    assert done.returncode == 3, done.stdout + done.stderr
    assert re.search(r"Conflicts.*:\n\n- src/my_project/errors.py\n", done.stdout)
    text = (project / "src/my_project/errors.py").read_text()
    assert OWN in text and FIX in text
    assert makes(environment) == []
    again = update()
    assert again.returncode == 1 and "src/my_project/errors.py" in again.stderr


def test_a_dry_run_from_a_template_that_moved_changes_nothing(
    newer: Path, project: Path, environment: dict[str, str]
) -> None:
    git(newer, "clone", "--quiet", newer, project.parent / "moved")
    replace(project / ANSWERS, f"_src_path: {newer}", "_src_path: ../moved")
    commit(project, "The template has moved")
    before = _state(project), git(project, "rev-parse", "HEAD")
    real = shutil.which("make", path=os.environ["PATH"]) or need_program("make")
    done = run([real, "update", "ARGS=--dry-run --data license=MIT"], cwd=project, env=environment)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "A fix in errors.py." in done.stdout
    assert re.search(r"src/my_project/errors.py +\| +1 \+", done.stdout)
    assert re.search(r"LICENSE +\|", done.stdout)
    assert "- docs/new.md" in done.stdout
    assert (_state(project), git(project, "rev-parse", "HEAD")) == before
    assert makes(environment) == []


def test_an_answer_changes_without_another_release_and_owners_files_that_go_are_named(
    project: Path, update: Update
) -> None:
    (project / "src/my_project/routes.py").write_text(OWN)
    commit(project, "My own work")
    done = update("--vcs-ref=:current:", "--data", "interfaces=[cli]")
    assert done.returncode == 0, done.stdout + done.stderr
    assert (answers(project)["interfaces"], answers(project)["_commit"]) == (["cli"], NEWEST)
    named = re.search(r"yours.*:\n\n((?:- .*\n)+)\n", done.stdout)
    assert named and named[1] == "- src/my_project/routes.py\n- tests/test_routes.py\n"
    commit(project, "Update")
    assert update("--vcs-ref=:current:").stdout == f"Nothing to update: this project is at {NEWEST}.\n"
    assert git(project, "status", "--porcelain") == ""


@pytest.mark.parametrize("failing", ["lock", "test"])
def test_what_fails_after_an_update_is_said(
    project: Path, update: Update, environment: dict[str, str], tmp_path: Path, failing: str
) -> None:
    _copier(tmp_path, "echo >> pyproject.toml")
    done = update(FAILING=failing)
    assert done.returncode == 4
    assert f"`make {failing}` failed" in done.stdout
    assert "git reset --hard && git clean -fd" in done.stdout
    assert makes(environment) == ["lock", "test"][: 1 if failing == "lock" else 2]


def test_nothing_is_locked_where_no_dependency_changed(
    project: Path, update: Update, environment: dict[str, str], tmp_path: Path
) -> None:
    _copier(tmp_path, "echo >> Makefile")
    assert update().returncode == 0
    assert makes(environment) == ["test"]


def _copier(tmp_path: Path, script: str) -> None:
    """Replace copier with a shell script."""
    program = tmp_path / "programs/copier"
    program.write_text(f"#!/bin/sh\n{script}\n")
    program.chmod(0o755)


def test_a_package_renamed_with_its_answer_is_updated(project: Path, update: Update) -> None:
    git(project, "mv", "src/my_project", "src/shop")
    for path in [*project.rglob("*.py"), *project.glob("*.toml"), *project.glob("Dockerfile*"), project / ANSWERS]:
        path.write_text(path.read_text().replace("my_project", "shop"))
    commit(project, "Rename the package")
    done = update()
    assert done.returncode == 0, done.stdout + done.stderr
    assert (project / "src/shop/errors.py").read_text().endswith(FIX)
    assert not (project / "src/my_project").exists()


def _conflict(project: Path) -> None:
    git(project, "switch", "--quiet", "--create", "other")
    replace(project / "Makefile", ".DEFAULT_GOAL := help", ".DEFAULT_GOAL := other")
    commit(project, "Other")
    git(project, "switch", "--quiet", "-")
    replace(project / "Makefile", ".DEFAULT_GOAL := help", ".DEFAULT_GOAL := my")
    commit(project, "Mine")
    run(["git", "merge", "other"], cwd=project)


def _markers(project: Path) -> None:
    with (project / "Makefile").open("a") as file:
        file.write("<<<<<<< before updating\n=======\n>>>>>>> after updating\n")
    commit(project, "Update")


def _edited(old: str, new: str) -> Callable[[Path], None]:
    """Return a function that replaces the pattern in the answers file, where it must match, and commits."""

    def edit(project: Path) -> None:
        text = (project / ANSWERS).read_text()
        changed = re.sub(old, new, text, count=1, flags=re.MULTILINE)
        assert changed != text
        (project / ANSWERS).write_text(changed)
        commit(project, "Edit the answers")

    return edit


def _without_answers(project: Path) -> None:
    (project / ANSWERS).unlink()
    commit(project, "Delete the answers")


def _renamed(project: Path) -> None:
    git(project, "mv", "src/my_project", "src/shop")
    commit(project, "Rename")


def _no_package(project: Path) -> None:
    git(project, "rm", "-r", "--quiet", "src")
    commit(project, "Delete")


def _no_commit(project: Path) -> None:
    shutil.rmtree(project / ".git")
    git(project, "init", "--quiet")


BAD: dict[str, tuple[Callable[[Path], object], list[str], list[str]]] = {
    "changed file": (
        lambda project: (project / "Makefile").write_text(""),
        [],
        ["uncommitted changes in Makefile", "git stash"],
    ),
    "new file": (lambda project: (project / "new.txt").write_text(""), [], ["uncommitted changes in new.txt"]),
    "unsolved conflict": (_conflict, [], ["conflicts in Makefile", "solve and commit"]),
    "conflict that was committed": (_markers, [], ["markers", "Makefile", "solve and commit"]),
    "no repository": (lambda project: shutil.rmtree(project / ".git"), [], ["in no Git repository", "git init"]),
    "no commit": (_no_commit, [], ["nothing is committed yet"]),
    "no answers": (_without_answers, [], [f"{ANSWERS} is missing", "git checkout"]),
    "broken answers": (_edited("^ci: github$", "ci github"), [], ["line 7", "ci github", "git checkout"]),
    "answer changed": (
        _edited("^training: manual$", "training: none"),
        [],
        ["by hand (training)", "git checkout", "--data"],
    ),
    "answer unknown": (_edited("^training:", "trainings: a\ntraining:"), [], ["by hand (trainings)", "git checkout"]),
    "answer missing": (_edited("^license: .*\n", ""), [], ["by hand (license)", "git checkout"]),
    "release missing": (_edited("^_commit: .*\n", ""), [], ["lacks _commit", "git checkout"]),
    "release unknown": (_edited("^_commit: .*$", "_commit: 998.0.0"), [], ["by hand (_commit)"]),
    "release too old": (_edited("^_commit: .*$", "_commit: v0.1.0"), [], ["v0.1.0", "since 0.2", "make a new project"]),
    "template moved": (
        _edited("^_src_path: .*$", "_src_path: /nowhere"),
        [],
        ["/nowhere", "no such folder", "_src_path"],
    ),
    "template away": (
        _edited("^_src_path: .*$", "_src_path: http://127.0.0.1:1/none.git"),
        [],
        ["http://127.0.0.1:1/none.git", "_src_path"],
    ),
    "package renamed": (_renamed, [], ["src/my_project", "src/shop", "package_name: shop"]),
    "package missing": (_no_package, [], ["src/my_project", "missing"]),
    "package renamed by data": (lambda project: None, ["--data=package_name=shop"], ["git mv src/my_project src/shop"]),
    "unknown reference": (lambda project: None, ["--vcs-ref=v9"], ["no release v9"]),
    "bad answer": (lambda project: None, ["--data=torch_version=9.9"], ["nothing was changed", "torch_version", "9.9"]),
}


@pytest.mark.parametrize("name", BAD)
def test_bad_input_is_refused_in_one_line_and_changes_nothing(
    project: Path, update: Update, environment: dict[str, str], name: str
) -> None:
    break_it, options, expected = BAD[name]
    break_it(project)
    before = _state(project)
    done = update(*options)
    assert done.returncode == 1, done.stdout + done.stderr
    lines = done.stderr.splitlines()
    assert len(lines) == 1 and lines[0].startswith("update: "), done.stderr
    assert [fragment for fragment in expected if fragment not in lines[0]] == [], lines[0]
    assert _state(project) == before
    assert makes(environment) == []


def _state(project: Path) -> dict[str, bytes]:
    found = (path for path in project.rglob("*") if path.is_file() and ".git" not in path.relative_to(project).parts)
    return {str(path): path.read_bytes() for path in found}


def test_a_template_without_the_projects_commit_is_said(template: Path, project: Path, update: Update) -> None:
    other = project.parent / "other"
    git(template, "clone", "--quiet", "--depth=1", f"file://{template}", other)
    git(other, "tag", "--delete", NEWEST)
    commit(other, "Other", NEXT)
    _edited("^_src_path: .*$", f"_src_path: {other}")(project)
    done = update()
    assert done.returncode == 1
    assert f"has no {NEWEST}" in done.stderr and len(done.stderr.splitlines()) == 1


def test_copier_that_is_not_installed_is_said(project: Path, update: Update, tmp_path: Path) -> None:
    programs = tmp_path / "few"
    programs.mkdir()
    (programs / "git").symlink_to(need_program("git"))
    done = update(PATH=str(programs))
    assert done.returncode == 1
    assert "copier is not installed" in done.stderr and len(done.stderr.splitlines()) == 1


@pytest.mark.parametrize("runner", ["uvx", "pipx"])
def test_copier_runs_through_what_there_is(project: Path, update: Update, tmp_path: Path, runner: str) -> None:
    programs = tmp_path / "few"
    programs.mkdir()
    (programs / "git").symlink_to(need_program("git"))
    (programs / runner).write_text(f'#!/bin/sh\necho "{runner} was run with $*" >&2\nexit 1\n')
    (programs / runner).chmod(0o755)
    (programs / "sh").symlink_to(need_program("sh"))
    done = update(PATH=str(programs))
    assert done.returncode == 1
    assert f"{runner} was run with {'run ' if runner == 'pipx' else ''}copier update" in done.stderr


def test_ctrl_c_leaves_a_message_that_says_how_to_undo(
    project: Path, environment: dict[str, str], tmp_path: Path
) -> None:
    started = tmp_path / "started"
    _copier(tmp_path, f"echo half > half.txt\ntouch {started}\nexec sleep 60")
    pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
    command = [sys.executable, "tools/update.py"]
    with subprocess.Popen(command, cwd=project, env=environment, text=True, start_new_session=True, **pipes) as process:
        for _ in range(300):
            if started.exists():
                break
            time.sleep(0.1)
        os.killpg(process.pid, signal.SIGINT)  # as a terminal does
        _, said = process.communicate(timeout=30)
    assert process.returncode == 130
    assert said.strip().splitlines() == [
        "update: interrupted; undo what was done with: git reset --hard && git clean -fd"
    ]


def test_copier_that_fails_half_way_is_said(project: Path, update: Update, tmp_path: Path) -> None:
    _copier(tmp_path, "echo half > half.txt\necho 'No space left on device' >&2\nexit 1")
    done = update()
    assert done.returncode == 5
    assert "No space left on device" in done.stderr and "git reset --hard && git clean -fd" in done.stderr


def test_containers_for_existing_code_have_the_program_too(
    newer: Path, tmp_path: Path, environment: dict[str, str]
) -> None:
    project = copied(newer, NEWEST, tmp_path / "theirs", {"preset": "existing"})
    done = run([sys.executable, "docker/update.py"], cwd=project, env=environment)
    assert done.returncode == 0, done.stdout + done.stderr
    assert (project / "docker/update.py").read_text().endswith(FIX)
    assert "build the image and run the tests" in done.stdout
    assert makes(environment) == []
