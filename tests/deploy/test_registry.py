"""`make publish` and `make verify` without a registry: which tags a version moves, and one line for each mistake."""

import importlib.util
import json
import os
import re
import subprocess
import sys
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
import yaml

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


def test_without_a_version_the_newest_published_one_is_built_again(tree: Tree, images: ModuleType) -> None:
    names = ["v1.10.0", "v1.9.0", "v2.0.0-rc.1", "v3", "v01.0.0", "vital"]
    for name in names:
        git(tree.path, "tag", name)
    published = ["1.10.0", "1.9.0", "1.10", "1", "2.0.0-rc.1", "3.0.0", "sha256-01.sig"]
    assert images.newest(published) == "1.10.0"
    assert images.newest(["1.9.0", "1"]) == "1.9.0", "v1.10.0 was never published"
    assert images.newest([]) == ""
    git(tree.path, "tag", "--delete", *names)


Asked = list[tuple[str, ...]]


class Registry:
    """Stands in for the programs that speak to a registry, as far as a test needs; tests/image runs them."""

    def __init__(self, images: ModuleType, monkeypatch: pytest.MonkeyPatch) -> None:
        self.error = images.ProgramError
        self.asked: Asked = []
        self.environment: dict[str, str] = {}
        self.attached: list[str] = []
        """Types of the attestations that cosign finds."""
        self.tags: dict[str, bytes] | None = {}
        """Tag -> manifest; None if there is no such repository."""
        monkeypatch.setattr(images, "ask", self.ask)

    def ask(self, image: str, *command: str, **environment: str) -> bytes:
        """Answer as the program does, or raise what its failure raises."""
        self.asked.append(command)
        self.environment |= environment
        match command:
            case ["cosign", "verify-attestation", *options]:
                if not {f"--type={kind}" for kind in self.attached} & set(options):
                    raise self.error("none of the attestations matched the predicate type")
            case ["skopeo", "list-tags", *_]:
                if self.tags is None:
                    raise self.error("fetching tags list: name unknown: repository name not known to registry")
                return json.dumps({"Tags": [*self.tags]}).encode()
            case ["skopeo", "inspect", *_]:
                assert self.tags is not None
                return self.tags[image.rpartition(":")[2]]
        return b""


@pytest.fixture
def registry(images: ModuleType, monkeypatch: pytest.MonkeyPatch) -> Registry:
    """Return a registry without images."""
    return Registry(images, monkeypatch)


FORMATS = {"https://slsa.dev/provenance/v0.2": "slsaprovenance", "https://slsa.dev/provenance/v1": "slsaprovenance1"}


@pytest.mark.parametrize("found", FORMATS)
def test_provenance_is_attached_in_the_format_that_buildkit_wrote(
    images: ModuleType, registry: Registry, tmp_path: Path, found: str
) -> None:
    images.attest("ghcr.io/me/name@sha256:0", {"predicateType": found, "predicate": {"of": found}}, [], tmp_path)
    kinds = {word for command in registry.asked for word in command if word.startswith("--type=")}
    assert kinds == {"--type=spdxjson", f"--type={FORMATS[found]}"}
    [file] = [file for file in tmp_path.iterdir() if json.loads(file.read_text()) == {"of": found}]
    assert any(f"--predicate={file}" in command and f"--type={FORMATS[found]}" in command for command in registry.asked)
    assert registry.environment == images.SBOM_SETTINGS


def test_a_format_of_provenance_that_cosign_does_not_know_is_refused(
    images: ModuleType, registry: Registry, tmp_path: Path
) -> None:
    statement: dict[str, Any] = {"predicateType": "https://slsa.dev/provenance/v2", "predicate": {}}
    with pytest.raises(images.ImageError, match=r"of the format https://slsa\.dev/provenance/v2; known are https"):
        images.attest("ghcr.io/me/name@sha256:0", statement, [], tmp_path)
    assert registry.asked == []


@pytest.mark.parametrize("attached", [["slsaprovenance"], ["slsaprovenance1"], [*FORMATS.values()], ["spdxjson"], []])
def test_either_format_of_provenance_is_verified(images: ModuleType, registry: Registry, attached: list[str]) -> None:
    registry.attached = attached
    if set(attached) & set(FORMATS.values()):
        images.verify_attestation("ghcr.io/me/name@sha256:0", images.ATTESTATIONS["provenance"], [])
    else:
        with pytest.raises(images.ProgramError, match="none of the attestations"):
            images.verify_attestation("ghcr.io/me/name@sha256:0", images.ATTESTATIONS["provenance"], [])


def test_a_repository_that_does_not_exist_yet_is_empty(images: ModuleType, registry: Registry) -> None:
    registry.tags = None
    assert images.published("ghcr.io/me/name") == []


def test_an_interrupted_publication_is_completed(images: ModuleType, registry: Registry) -> None:
    """`1.2` was not moved and `1` is missing."""
    registry.tags = {"sha-0123456789ab": b"new", "1.2.3": b"new", "1.2": b"old", "1.1.0": b"old"}
    exact = images.resolve("ghcr.io/me/name:1.2.3")[1]
    images.move("ghcr.io/me/name", exact, "1.2.3", "0123456789abcdef")
    moved = [command[-1] for command in registry.asked if command[:2] == ("skopeo", "copy")]
    assert moved == ["docker://ghcr.io/me/name:1.2", "docker://ghcr.io/me/name:1"]


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
        (("publish",), {"SIGSTORE_ID_TOKEN": "secret"}, "skopeo is not installed: see https://"),
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
    pattern = identity.removeprefix("--certificate-identity-regexp=")
    workflow = "https://github.com/Me/na.me/.github/workflows/publish.yml@refs"
    for ref in ("tags/v1.2.3", "tags/v1.2.3-rc.1", "heads/main", "heads/master"):
        assert re.search(pattern, f"{workflow}/{ref}")
    for ref in ("heads/feature", "heads/main-2", "heads/Main", "heads/v1", "tags/1.2.3", "tags/v1/x", "pull/1/merge"):
        assert not re.search(pattern, f"{workflow}/{ref}")
    for other in (workflow.replace("na.me", "name"), workflow.replace("publish", "ci"), f"https://evil.org/{workflow}"):
        assert not re.search(pattern, f"{other}/heads/main")
    [_, identity] = images.trusted("registry.gitlab.com/me/name")
    pattern = identity.removeprefix("--certificate-identity-regexp=")
    assert re.search(pattern, "https://gitlab.com/me/name//.gitlab-ci.yml@refs/heads/main")
    assert not re.search(pattern, "https://gitlab.com/me/name//.gitlab-ci.yml@refs/heads/feature")
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
    done = call(existing, "publish", "1.2.3", **variables, SIGSTORE_ID_TOKEN="secret")
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


@pytest.fixture(scope="module")
def pipelines(template: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Tree]:
    """Return projects and workspaces that pipelines publish."""
    answers: dict[str, dict[str, Any]] = {
        "github": {"package_manager": "pip", "hf_task": "custom"},
        "gitlab": {"ci": "gitlab", "hf_task": "custom"},
        "github, gpu": {"accelerator": "cu130", "hf_task": "custom"},
        "gitlab, gpu": {"accelerator": "cu130", "hf_task": "custom", "ci": "gitlab"},
        "github, workspace": {"preset": "workspace"},
        "gitlab, workspace": {"preset": "workspace", "ci": "gitlab"},
    }
    sets = [{"deploy": ["ghcr"], **each} for each in answers.values()]
    return dict(zip(answers, rendered(sets, template, tmp_path_factory.mktemp("pipelines")), strict=True))


def workflow(tree: Tree, name: str) -> dict[str, Any]:
    """Return a workflow of GitHub."""
    found: dict[str, Any] = yaml.safe_load((tree.path / GITHUB / f"{name}.yml").read_text())
    return found


def test_publications_wait_for_each_other(pipelines: dict[str, Tree]) -> None:
    waiting = {"group": "${{ github.workflow }}", "cancel-in-progress": False, "queue": "max"}
    assert workflow(pipelines["github"], "publish")["concurrency"] == waiting
    assert workflow(pipelines["github, workspace"], "publish-images")["concurrency"] == waiting
    assert workflow(pipelines["github, gpu"], "development-image")["concurrency"] == waiting
    for name, job in (("gitlab", "publish"), ("gitlab, workspace", "publish images")):
        assert gitlab_jobs(pipelines[name].path / GITLAB)[job]["resource_group"] == "publish"


def test_the_scanner_looks_for_vulnerabilities_alone_and_has_time_for_large_images(pipelines: dict[str, Tree]) -> None:
    for name, file in (("github", "publish"), ("github, workspace", "publish-service")):
        steps = workflow(pipelines[name], file)["jobs"]["scan"]["steps"]
        inputs = [step["with"] for step in steps if step.get("uses", "").startswith("aquasecurity/trivy-action@")]
        assert [(each["scanners"], each["timeout"]) for each in inputs] == [("vuln", "20m")] * 3
    for name, job in (("gitlab", "scan"), ("gitlab, workspace", "scan images")):
        variables = gitlab_jobs(pipelines[name].path / GITLAB)[job]["variables"]
        assert (variables["TRIVY_SCANNERS"], variables["TRIVY_TIMEOUT"]) == ("vuln", "20m")


def test_a_private_repository_may_upload_the_report(pipelines: dict[str, Tree]) -> None:
    needed = {"actions": "read", "contents": "read", "security-events": "write"}
    for name, file, job in (
        ("github", "publish", "scan"),
        ("github, workspace", "publish-service", "scan"),
        ("github, workspace", "publish-images", "publish"),
    ):
        assert needed.items() <= workflow(pipelines[name], file)["jobs"][job]["permissions"].items()


def test_only_the_default_branch_or_the_newest_version_replaces_the_development_image(
    pipelines: dict[str, Tree],
) -> None:
    default = "github.ref_name == github.event.repository.default_branch"
    assert workflow(pipelines["github"], "development-image")["jobs"]["image"]["if"] == default
    jobs = workflow(pipelines["github, gpu"], "development-image")["jobs"]
    assert jobs["image"]["needs"] == "version"
    condition = f"needs.version.outputs.newest == 'yes' && (github.ref_type == 'tag' || {default})"
    assert jobs["image"]["if"] == condition
    job = gitlab_jobs(pipelines["gitlab, gpu"].path / GITLAB)["publish development image"]
    assert job["variables"]["GIT_DEPTH"] == 0


def test_a_scheduled_pipeline_runs_beside_a_merge_request(pipelines: dict[str, Tree]) -> None:
    for name in ("gitlab", "gitlab, gpu", "gitlab, workspace"):
        rules = yaml.safe_load((pipelines[name].path / GITLAB).read_text())["workflow"]["rules"]
        assert rules[0] == {"if": '$CI_PIPELINE_SOURCE == "schedule"'}


@pytest.mark.parametrize("name", ["github", "gitlab", "gitlab, gpu"])
def test_the_page_says_which_platform_and_which_branch(pipelines: dict[str, Tree], name: str) -> None:
    page = (pipelines[name].path / "docs/containers.md").read_text()
    assert "The image is for the platform of the runner alone." in page
    assert "`TRUSTED_REFS` in `images.py`" in page
    assert "TRUSTED_REFS = " in script(pipelines[name]).read_text()
