"""Run every step of the workflows that existing code gets."""

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.engine import attempt, build
from tests.existing_code.packages import PACKAGES
from tests.existing_code.repositories import add_containers, dockerfile
from tests.hosted import RUN, Hosted, every_command, expressions, left_unrun, shell
from tests.releases import commit, git
from tests.trees import Tree
from tests.workflows import GITHUB, github_jobs

pytestmark = [pytest.mark.image, pytest.mark.exhaustive]

KEPT = ("monorepo", "requirements-only")
"""A repository without a Dockerfile of its own, and one with one."""

IMPORT = """
import socket

import our_pkg


def test_it_is_installed_and_its_services_answer():
    socket.create_connection(("redis", 6379), timeout=5).close()
"""


@pytest.fixture
def checkout(
    locked: Callable[[str], Path], image: Callable[[str], str], tmp_path: Path
) -> Iterator[Callable[[str], Path]]:
    """Yield a function that clones a repository with containers; remove what the clones started at the end."""
    folders: list[Path] = []

    def checkout(name: str) -> Path:
        image(name)
        folder = tmp_path / name
        git(tmp_path, "clone", "--quiet", locked(name), folder)
        folders.append(folder)
        return folder

    yield checkout
    for folder in folders:
        files = [f"--file={path}" for path in sorted(folder.glob("*compose*.yaml"), reverse=True)]
        attempt("compose", *files, "--profile=*", "down", "--volumes", "--remove-orphans", "--timeout=1", cwd=folder)
        attempt("image", "rm", "--force", f"slipway-test-existing-{folder.name}-dev")


@pytest.mark.parametrize("name", ["monorepo", "requirements-only", "conda"])
def test_github_tests_the_code_and_tries_the_image(name: str, checkout: Callable[[str], Path]) -> None:
    folder = checkout(name)
    runner = Hosted(folder)
    jobs = github_jobs(folder / GITHUB / "containers.yml", expressions())
    assert set(jobs) == {"test", "image"}
    for steps in jobs.values():
        for step in steps:
            runner.step(step)
    assert git(folder, "status", "--porcelain") == ""


def test_github_versions_a_package_by_its_tag_and_starts_what_its_tests_need(template: Path, tmp_path: Path) -> None:
    slug, version = "slipway-test-existing-described", "v2.0"
    folder = PACKAGES["setuptools-scm"].write(tmp_path / "theirs")
    (folder / "requirements-dev.txt").write_text("pytest\n")
    (folder / "tests").mkdir()
    (folder / "tests/test_import.py").write_text(IMPORT)
    done = add_containers(
        template,
        folder,
        requirements_file="pyproject.toml",
        requirements_dev=["requirements-dev.txt"],
        install="yes",
        code_paths=["src"],
        test_command="pytest",
        services=["redis"],
        torch_version="none",
        project_slug=slug,
    )
    assert done.returncode == 0, done.stderr
    try:
        locked = build(folder, "--target=lock", f"--output={folder}")
        assert locked.returncode == 0, locked.output
        commit(folder, "Add containers", version)
        runner = Hosted(folder, environment={"GITHUB_OUTPUT": str(tmp_path / "output")})
        described = {"steps.version.outputs.version": version}
        for steps in github_jobs(folder / GITHUB / "containers.yml", expressions() | described).values():
            for step in steps:
                runner.step(step)
        assert (tmp_path / "output").read_text() == f"version={version}\n" * 2
    finally:
        attempt("compose", "--profile=*", "down", "--volumes", "--timeout=1", cwd=folder)
        attempt("image", "rm", "--force", slug, f"{slug}-dev")


def test_gitlab_builds_with_every_set_of_options(checkout: Callable[[str], Path], existing_trees: list[Tree]) -> None:
    """Build two repositories with an unreachable registry: a missing cache must not stop a build."""
    given = {"CI_COMMIT_SHA": "0" * 40, "CI_COMMIT_TAG": "v1.0", "CI_REGISTRY_IMAGE": "127.0.0.1:1/none"}
    folders = {dockerfile(folder).rpartition("/")[2]: folder for folder in map(checkout, KEPT)}
    builds = {command for command in every_command(existing_trees) if command.startswith("docker build ")}
    for option in ("--target dev", "--file slipway.Dockerfile", "--cache-to"):
        assert {option in command for command in builds} == {True, False}, option
    for command in sorted(builds):
        folder = folders["slipway.Dockerfile" if "slipway.Dockerfile" in command else "Dockerfile"]
        shell(folder, command.replace("PROJECT", f"slipway-test-existing-{folder.name}"), given)


def test_no_step_of_any_workflow_was_left_unrun(existing_trees: list[Tree], chosen: set[Path]) -> None:
    if "FOLDER/smoke.sh" not in RUN:
        pytest.skip("the tests that run them were not chosen")
    # `pytest` stands for all test commands.
    tests = {tree.answers["test_command"] for tree in existing_trees} - {"pytest"}
    tests |= {f"FOLDER/secrets.sh && {command}" for command in tests}
    assert left_unrun(existing_trees, chosen) - tests == set()
