"""`make publish` and `make verify` without a registry: which tags a version moves, and one line for each mistake."""

import importlib.util
import os
import re
import subprocess
import sys
from pathlib import Path
from types import ModuleType

import pytest

from tests.conftest import need_program
from tests.program import run
from tests.releases import commit, git
from tests.trees import Tree, rendered
from tests.workflows import GITHUB, GITLAB, gitlab_jobs


@pytest.fixture(scope="module")
def tree(template: Path, tmp_path_factory: pytest.TempPathFactory) -> Tree:
    """Return a project that is published, with a tag, and with programs that only exist."""
    [tree] = rendered([{"deploy": ["ghcr"], "hf_task": "custom"}], template, tmp_path_factory.mktemp("registry"))
    git(tree.path, "init", "--quiet")
    commit(tree.path, "Start")
    git(tree.path, "tag", "v1.2.3")
    return tree


@pytest.fixture(scope="module")
def existing(template: Path, tmp_path_factory: pytest.TempPathFactory) -> Tree:
    """Return existing code that is published, with a tag, beside a Dockerfile and a folder docker of its own."""
    answers = {"preset": "existing", "deploy": ["ghcr"], "keep": ["Dockerfile", "docker"]}
    [tree] = rendered([answers], template, tmp_path_factory.mktemp("existing"))
    git(tree.path, "init", "--quiet")
    commit(tree.path, "Start")
    git(tree.path, "tag", "v1.2.3")
    return tree


@pytest.fixture(scope="module")
def images(tree: Tree) -> ModuleType:
    """Return the script of the project as a module."""
    return module(tree)


def script(tree: Tree) -> Path:
    """Return the script of a project, or of existing code."""
    [found] = tree.path.glob("*/registry/images.py")
    return found


def module(tree: Tree) -> ModuleType:
    """Return the script as a module."""
    spec = importlib.util.spec_from_file_location("images", script(tree))
    assert spec and spec.loader
    loaded = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(loaded)
    return loaded


def call(tree: Tree, *arguments: str, **variables: str) -> subprocess.CompletedProcess[str]:
    """Run the script with git as the only program that it finds."""
    programs = tree.path.parent / "programs"
    programs.mkdir(exist_ok=True)
    if not (programs / "git").exists():
        (programs / "git").symlink_to(need_program("git"))
    environment = {"PATH": str(programs), "HOME": os.environ["HOME"], **variables}
    return run([sys.executable, script(tree), *arguments], env=environment, cwd="/")


@pytest.mark.parametrize(
    ("version", "published", "moved"),
    [
        ("1.2.3", [], ["1.2.3", "1.2", "1"]),
        ("1.2.3", ["1.2.2", "1.2", "1", "sha-0123456789ab", "sha256-01.sig", "v2.0.0"], ["1.2.3", "1.2", "1"]),
        ("1.2.3", ["1.2.4"], ["1.2.3"]),
        ("1.2.3", ["1.10.0"], ["1.2.3", "1.2"]),
        ("1.10.0", ["1.9.9", "2.0.0"], ["1.10.0", "1.10", "1"]),
        ("1.2.3", ["1.2.4-rc.1", "2.0.0-rc.1"], ["1.2.3", "1.2", "1"]),
        ("1.2.3-rc.1", [], ["1.2.3-rc.1"]),
        ("0.2.0", ["0.1.0"], ["0.2.0", "0.2"]),
        ("1.2.3", ["11.2.4", "1.20.0"], ["1.2.3", "1.2"]),
    ],
)
def test_a_version_moves_the_tags_of_its_series_unless_they_are_at_a_newer_one(
    images: ModuleType, version: str, published: list[str], moved: list[str]
) -> None:
    assert images.tags(version, "0123456789abcdef", published) == ["sha-0123456789ab", *moved]


def test_without_a_version_the_newest_release_is_published(tree: Tree, images: ModuleType) -> None:
    names = ["v1.10.0", "v1.9.0", "v2.0.0-rc.1", "v3", "v01.0.0", "vital"]
    for name in names:
        git(tree.path, "tag", name)
    assert images.newest() == "1.10.0"
    git(tree.path, "tag", "--delete", *names)


@pytest.mark.parametrize(
    ("arguments", "variables", "sentence"),
    [
        (("publish", "latest"), {}, "'latest' is no version; write 1.2.3 or 1.2.3-rc.1"),
        (("publish", "1.2"), {}, "'1.2' is no version"),
        (("publish", "v1.2.3+linux"), {}, "'v1.2.3+linux' is no version"),
        (("publish", "01.2.3"), {}, "'01.2.3' is no version"),
        (("publish", "1.2.3\n"), {}, "is no version"),
        (("publish", "--help me"), {}, "is no version"),
        (("publish", "1.2.3"), {"IMAGE": ""}, "IMAGE is ''; write where to publish"),
        (("publish", "1.2.3"), {"IMAGE": "ghcr.io/me/name:1"}, "write where to publish, without a tag"),
        (("publish", "1.2.3"), {"IMAGE": "--all"}, "write where to publish"),
        (("publish", "1.2.3"), {}, "set COSIGN_KEY to the file of a private key"),
        (("publish", "1.2.3"), {"COSIGN_KEY": "/none"}, "COSIGN_KEY is '/none', which is no file"),
        (("publish", "1.2.3"), {"COSIGN_KEY": __file__}, "there is no deploy/registry/cosign.pub"),
        (("publish", "1.2.4"), {"SIGSTORE_ID_TOKEN": "secret"}, "there is no tag v1.2.4 in git"),
        (("publish", "v1.2.3"), {"SIGSTORE_ID_TOKEN": "secret"}, "docker is not installed: see https://"),
        (("publish",), {"SIGSTORE_ID_TOKEN": "secret"}, "docker is not installed: see https://"),
        (("verify", "my-project"), {}, "IMAGE is 'my-project'; write its whole address"),
        (("verify", "ghcr.io/me/name"), {}, "write its whole address"),
        (("verify", "ghcr.io/me/name:1\n"), {}, "write its whole address"),
        (("verify", "ghcr.io/me/name:1.2.3"), {}, "skopeo is not installed: see https://"),
    ],
)
def test_a_mistake_is_one_line(
    tree: Tree, arguments: tuple[str, ...], variables: dict[str, str], sentence: str
) -> None:
    arguments = ("publish", "--", "--help me") if "--help me" in arguments else arguments
    done = call(tree, *arguments, **{"IMAGE": "ghcr.io/me/name", **variables})
    assert done.returncode == 1
    assert done.stderr.startswith("images.py: ") and sentence in done.stderr
    assert done.stderr.count("\n") == 1 and done.stdout == ""
    assert "secret" not in done.stderr


def test_only_the_pipeline_of_the_repository_is_trusted(images: ModuleType) -> None:
    [issuer, identity] = images.trusted("ghcr.io/me/na.me")
    assert issuer == "--certificate-oidc-issuer=https://token.actions.githubusercontent.com"
    expected = r"(?i)^https://github\.com/me/na\.me/\.github/workflows/publish\.yml@refs/"
    assert identity == f"--certificate-identity-regexp={expected}"
    with pytest.raises(images.ImageError, match="signed with a key"):
        images.trusted("registry.example.org/me/name")


def test_the_workflow_that_is_trusted_is_the_one_that_publishes(tree: Tree, existing: Tree) -> None:
    for each in (tree, existing):
        [_, identity] = module(each).trusted("ghcr.io/me/name")
        name = re.findall(r"workflows/([a-z-]+)\\\.yml@", identity)[0]
        workflow = (each.path / GITHUB / f"{name}.yml").read_text()
        called = re.findall(r"python3 (\S+) (?:publish|verify)", workflow)
        assert called == [str(script(each).relative_to(each.path))] * 2


BUILDER = """#!/bin/sh
echo "$*" >> "$RECORD"
ls "${*##* }" >> "$RECORD" # the context
exit 1
"""
"""Stands in for docker: notes what it is asked to build; tests/image builds it."""


def test_existing_code_is_built_by_the_dockerfile_beside_its_own(existing: Tree, tmp_path: Path) -> None:
    (tmp_path / "docker").write_text(BUILDER)
    (tmp_path / "docker").chmod(0o755)
    (existing.path / "untracked").touch()
    variables = {
        "IMAGE": "ghcr.io/me/name",
        "PATH": f"{tmp_path}:{os.environ['PATH']}",
        "RECORD": str(tmp_path / "record"),
    }
    done = call(existing, "publish", **variables, SIGSTORE_ID_TOKEN="secret")
    assert done.stderr.splitlines()[-1] == "images.py: the image cannot be built"
    asked, *files = (tmp_path / "record").read_text().splitlines()
    *options, context = asked.split()
    assert f"--file={context}/slipway.Dockerfile" in options and "--target=prod" in options
    assert "slipway.Dockerfile" in files and "untracked" not in files


def test_jobs_of_existing_code_have_names_of_their_own(template: Path, tmp_path: Path) -> None:
    """Jobs of the same name in the pipeline that includes ours would be merged with them."""
    for accelerator in ("cpu", "cu130"):
        answers = {"preset": "existing", "deploy": ["ghcr"], "ci": "gitlab", "accelerator": accelerator}
        [tree] = rendered([answers], template, tmp_path / accelerator)
        jobs = gitlab_jobs(tree.path / GITLAB)
        assert jobs["scan image"]["needs"] == ["publish image"]
        assert all(name.endswith(" image") for name in jobs)
