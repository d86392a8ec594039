"""The repositories of tests/existing, each with the answers that give it containers: those of the guide."""

import re
import shlex
import shutil
import subprocess
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import yaml
from markdown_it import MarkdownIt

from tests.conftest import TORCH_INDEX
from tests.releases import NEWEST, ROOT, as_options, commit, copier, git

FOLDER = ROOT / "tests/existing"


GUIDE = ROOT / "docs/existing-code.md"


def commands_of(page: Path) -> list[str]:
    """The command lines of a page, in its order and without their comments."""
    fences = [token for token in MarkdownIt().parse(page.read_text()) if token.type == "fence" and token.info == "sh"]
    lines = [line for fence in fences for line in fence.content.replace("\\\n", " ").splitlines()]
    return [command for line in lines if (command := re.sub(r"(^|\s+)#.*", "", line))]


def answers_of(command: str) -> dict[str, Any]:
    """What a `copier copy` of the guide gives with --data."""
    pairs = [word for word in shlex.split(command) if "=" in word]
    return {name: yaml.load(value, yaml.BaseLoader) for name, _, value in (pair.partition("=") for pair in pairs)}


def recipes() -> list[list[str]]:
    """The guide's commands for each repository: `copier copy` with its answers, and what follows."""
    found: list[list[str]] = []
    for command in commands_of(GUIDE):
        if command.startswith("copier copy --data"):
            found.append([])
        if found:
            found[-1].append(command)
    return found


@dataclass(frozen=True)
class Shape:
    """What shows that the containers work which a repository has by the guide's command."""

    commands: list[list[str]] = field(default_factory=list)
    """Command lines that succeed in the image that ships, read-only and without a network."""
    route: str = ""
    """A route of the API that answers."""
    package: str = ""
    """The name under which the code is installed."""
    answers: dict[str, Any] = field(default_factory=dict)
    """What the guide answers."""
    then: list[str] = field(default_factory=list)
    """What the guide runs after that."""

    @property
    def suffix(self) -> str:
        """What stands before the names of files that theirs must not be replaced by."""
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
"""In the order of the guide."""
SHAPES = {
    name: replace(shape, answers=answers_of(copy), then=then)
    for (name, shape), (copy, *then) in zip(SHAPES.items(), recipes(), strict=True)
}


def repository(name: str, folder: Path) -> Path:
    """A clone of a repository, as its authors have it."""
    shutil.copytree(FOLDER / name, folder)
    git(folder, "init", "--quiet")
    commit(folder, "Theirs")
    return folder


def given(template: Path, name: str, folder: Path, **answers: Any) -> Path:
    """The same with containers, committed."""
    repository(name, folder)
    done = add_containers(template, folder, **{**SHAPES[name].answers, **answers})
    assert done.returncode == 0, done.stderr
    for command in SHAPES[name].then:
        subprocess.run(["bash", "-e", "-c", command], cwd=folder, check=True)
    commit(folder, "Add containers")
    return folder


def add_containers(template: Path, folder: Path, **answers: Any) -> Any:
    """Runs copier in a repository, with no terminal and no --trust."""
    data = {"preset": "existing", "torch_index": TORCH_INDEX, **answers}
    return copier("copy", "--defaults", "--vcs-ref", NEWEST, *as_options(data), template, ".", cwd=folder)


def dockerfile(folder: Path) -> str:
    """The option that names ours."""
    ours = folder / "slipway.Dockerfile"
    return f"--file={ours if ours.exists() else folder / 'Dockerfile'}"
