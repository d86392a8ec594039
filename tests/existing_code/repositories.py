"""The repositories of tests/existing, each with the answers that the guide gives for it."""

import re
import shlex
import shutil
import subprocess
from dataclasses import dataclass, field, replace
from pathlib import Path
from subprocess import CompletedProcess

import yaml
from markdown_it import MarkdownIt

from tests.answers import Answer
from tests.conftest import TORCH_INDEX
from tests.releases import NEWEST, ROOT, as_options, commit, copier, git

FOLDER = ROOT / "tests/existing"
GUIDE = ROOT / "docs/existing-code.md"


def fences(page: Path, language: str) -> list[str]:
    """Return the blocks of a page that are in a language."""
    found = MarkdownIt().parse(page.read_text())
    return [token.content for token in found if token.type == "fence" and token.info == language]


def commands_of(page: Path) -> list[str]:
    """Return the command lines of a page, in order and without comments."""
    lines = [line for fence in fences(page, "sh") for line in fence.replace("\\\n", " ").splitlines()]
    return [command for line in lines if (command := re.sub(r"(^|\s+)#.*", "", line))]


def answers_of(command: str) -> dict[str, Answer]:
    """Return the answers that a `copier copy` of the guide gives with --data."""
    pairs = [word for word in shlex.split(command) if "=" in word]
    return {name: yaml.load(value, yaml.BaseLoader) for name, _, value in (pair.partition("=") for pair in pairs)}


def recipes() -> list[list[str]]:
    """Return the guide's commands for each repository: `copier copy` with answers, and the commands after it."""
    found: list[list[str]] = []
    for command in commands_of(GUIDE):
        if "--data-file" in command:
            break  # the system, which has a test of its own
        if command.startswith("copier copy --data"):
            found.append([])
        if found:
            found[-1].append(command)
    return found


@dataclass(frozen=True)
class Shape:
    """How to check the containers that the guide's commands add to a repository."""

    commands: list[list[str]] = field(default_factory=list)
    """Command lines that succeed in the production image, read-only and without a network."""
    route: str = ""
    """A route of the API that returns 200; empty without an API."""
    package: str = ""
    """The name of the installed distribution; empty if the code is not installed."""
    answers: dict[str, Answer] = field(default_factory=dict)
    """The guide's answers."""
    then: list[str] = field(default_factory=list)
    """The guide's commands after `copier copy`."""

    @property
    def suffix(self) -> str:
        """Prefix of our Dockerfile and compose files, where the repository keeps its own."""
        return "slipway." if "Dockerfile" in self.answers.get("keep", []) else ""


SHAPES = {
    "flat": Shape(
        [["finetune", "--dry-run"]]
        + [["python", f"{name}.py", "--config", f"configs/{name}.yaml", "--dry-run"] for name in ("align", "download")],
    ),
    "src-hydra": Shape(
        [["train", "--cfg", "job", "model=tiny"], ["paratope-predict", "--cfg", "job"]], package="paratope-ml"
    ),
    "requirements-only": Shape([["train", "--dry-run"]], route="/health"),
    "monorepo": Shape(route="/api/crops"),
    "api-string": Shape(route="/healthz", package="moldash"),
    "conda": Shape([["train", "--model", "gbm", "--dry-run"]]),
    "poetry": Shape([["train", "--help"], ["tidewatch", "scan", "--help"]], package="tidewatch"),
}
"""Repository -> its checks, in the order of the guide."""
SHAPES = {
    name: replace(shape, answers=answers_of(copy), then=then)
    for (name, shape), (copy, *then) in zip(SHAPES.items(), recipes(), strict=True)
}


def repository(name: str, folder: Path) -> Path:
    """Return a copy of a repository, committed, as its authors have it."""
    shutil.copytree(FOLDER / name, folder)
    git(folder, "init", "--quiet")
    commit(folder, "Theirs")
    return folder


def given(template: Path, name: str, folder: Path, **answers: Answer) -> Path:
    """Return a copy of a repository with containers added, committed; `answers` replace the guide's."""
    repository(name, folder)
    done = add_containers(template, folder, **{**SHAPES[name].answers, **answers})
    assert done.returncode == 0, done.stderr
    for command in SHAPES[name].then:
        subprocess.run(["bash", "-e", "-c", command], cwd=folder, check=True)
    commit(folder, "Add containers")
    return folder


def add_containers(template: Path, folder: Path, **answers: Answer) -> CompletedProcess[str]:
    """Run copier in a repository, without a terminal and without --trust; never raise for its exit code."""
    data = {"preset": "existing", "torch_index": TORCH_INDEX, **answers}
    return copier("copy", "--defaults", "--vcs-ref", NEWEST, *as_options(data), template, ".", cwd=folder)


def dockerfile(folder: Path) -> str:
    """Return the option of `docker build` that names our Dockerfile."""
    ours = folder / "slipway.Dockerfile"
    return f"--file={ours if ours.exists() else folder / 'Dockerfile'}"
