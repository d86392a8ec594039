"""Run every command of the scheduled update in emitted pipelines, with stand-ins for copier, make, gh and GitLab."""

import os
import sys
from pathlib import Path

import pytest

from tests.hosted import expressions, shell
from tests.releases import NEWEST, commit, copied, git
from tests.workflows import GITHUB, GITLAB, github_jobs, gitlab_jobs

NEXT = "1000.0.0"
BRANCH = f"slipway/{NEXT}"
PROGRAMS = {
    "copier": f"sed -i 's/^_commit: .*/_commit: {NEXT}/' .copier-answers.yml && touch src/new.py",
    "make": 'test "$1" != "$FAILING"',
    "gh": """echo "gh $*" >> "$ASKED"
case "$1 $2" in "run download") cp -r "$ARTIFACT/build" . ;; esac""",
    "pipx": "true",
    "pip": "true",
    "apt-get": "true",
}


@pytest.fixture(scope="module")
def newer(template: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a clone of the template with one more release."""
    folder = tmp_path_factory.mktemp("newer") / "template"
    git(template, "clone", "--quiet", template, folder)
    (folder / "CHANGELOG.md").write_text(f"# Changelog\n\n## v{NEXT}\n\n- A fix.\n")
    commit(folder, "Next", NEXT)
    return folder


@pytest.fixture
def environment(tmp_path: Path) -> dict[str, str]:
    """Return the environment of a hosted runner."""
    programs = tmp_path / "programs"
    programs.mkdir()
    for name, script in PROGRAMS.items():
        (programs / name).write_text(f"#!/bin/sh\n{script}\n")
        (programs / name).chmod(0o755)
    return {
        "PATH": os.pathsep.join([str(programs), str(Path(sys.executable).parent), os.environ["PATH"]]),
        "ASKED": str(tmp_path / "asked.txt"),
        "ARTIFACT": str(tmp_path / "first"),
        "GITHUB_OUTPUT": str(tmp_path / "output.txt"),
        "GITHUB_RUN_ID": "1",
        "FAILING": "test",
        "CI_DEFAULT_BRANCH": "main",
        "CI_PROJECT_PATH": "remote",
        "CI_SERVER_HOST": "localhost",
        "CI_SERVER_URL": str(tmp_path),
        "UPDATE_TOKEN": "secret",
    }


def remote(newer: Path, tmp_path: Path, ci: str) -> Path:
    """Return a bare repository with a project that has an owner."""
    data = {"preset": "cli", "hf_task": "custom", "owner": "an-owner", "ci": ci}
    project = copied(newer, NEWEST, tmp_path / "project", data)
    git(project, "branch", "--move", "main")
    git(tmp_path, "clone", "--quiet", "--bare", project, tmp_path / "remote.git")
    git(tmp_path / "remote.git", "config", "receive.advertisePushOptions", "true")
    return tmp_path / "remote.git"


def checkout(remote: Path, tmp_path: Path, name: str) -> Path:
    """Return a fresh clone, as each job starts with one."""
    git(tmp_path, "clone", "--quiet", remote, tmp_path / name)
    return tmp_path / name


def assert_proposed(remote: Path) -> None:
    """Check that the branch has one more commit, which names the release, its changes and the failed test."""
    message = git(remote, "log", "-1", "--format=%B", BRANCH)
    assert message.startswith(f"Update from Slipway {NEWEST} to {NEXT}\n")
    assert "- A fix." in message and "`make test` failed." in message
    assert git(remote, "diff", "--name-only", "main", BRANCH).split() == [".copier-answers.yml", "src/new.py"]


def test_github_opens_a_pull_request_once(newer: Path, tmp_path: Path, environment: dict[str, str]) -> None:
    repository = remote(newer, tmp_path, "github")
    first = checkout(repository, tmp_path, "first")
    jobs = github_jobs(first / GITHUB / "update.yml", expressions("secret"))
    for step in jobs["update"]:
        if step.command:
            assert step.environment == {}  # code of the project runs without a token
            shell(first, step.command, environment)
    assert Path(environment["GITHUB_OUTPUT"]).read_text() == "changed=yes\n"
    for name in ("second", "third"):
        folder = checkout(repository, tmp_path, name)
        for step in jobs["propose"]:
            if step.command:
                shell(folder, step.command, environment | step.environment)
        assert_proposed(repository)
    asked = Path(environment["ASKED"]).read_text().splitlines()
    created = [line for line in asked if line.startswith("gh pr create")]
    title = f"Update from Slipway {NEWEST} to {NEXT}"
    assert created == [f"gh pr create --head {BRANCH} --title {title} --body-file build/update.md"]


def test_gitlab_opens_a_merge_request_once(newer: Path, tmp_path: Path, environment: dict[str, str]) -> None:
    repository = remote(newer, tmp_path, "gitlab")
    hook = repository / "hooks/pre-receive"
    hook.write_text('#!/bin/sh\nenv | grep ^GIT_PUSH_OPTION_ > "$ASKED"\n')
    hook.chmod(0o755)
    for name in ("first", "second"):
        folder = checkout(repository, tmp_path, name)
        job = gitlab_jobs(folder / GITLAB)["update"]
        assert job["services"] == []
        assert job["rules"] == [{"if": '$CI_PIPELINE_SOURCE == "schedule" && $UPDATE == "yes"'}]
        for command in [*job["before_script"], *job["script"]]:
            shell(folder, command, environment)
        assert_proposed(repository)
    options = Path(environment["ASKED"]).read_text()
    assert "merge_request.create" in options and "merge_request.target=main" in options
    assert f"merge_request.title=Update from Slipway {NEWEST} to {NEXT}" in options


def test_nothing_is_proposed_where_there_is_nothing_new(
    template: Path, tmp_path: Path, environment: dict[str, str]
) -> None:
    first = checkout(remote(template, tmp_path, "github"), tmp_path, "first")
    for step in github_jobs(first / GITHUB / "update.yml", expressions())["update"]:
        if step.command:
            shell(first, step.command, environment)
    assert git(first, "status", "--porcelain") == ""
    assert not Path(environment["GITHUB_OUTPUT"]).exists()
