"""Continuous integration of generated projects, read as GitHub and GitLab read it, so that its steps can run here."""

import re
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml

GITHUB = ".github/workflows"
GITLAB = ".gitlab-ci.yml"


@dataclass(frozen=True)
class Step:
    """One step of a job: a command, or an action with its inputs."""

    command: str = ""
    action: str = ""
    """Owner and name, without the commit that it is pinned to."""
    inputs: dict[str, Any] = field(default_factory=dict)
    environment: dict[str, str] = field(default_factory=dict)


def github_jobs(file: Path, expressions: dict[str, str]) -> dict[str, list[Step]]:
    """Job -> its steps, with `${{ … }}` replaced. Raises KeyError for an expression that is not given."""
    text = re.sub(r"\$\{\{ *(.+?) *\}\}", lambda match: expressions[match[1]], file.read_text())
    jobs = yaml.safe_load(text)["jobs"]
    return {name: [_github_step(each) for each in job["steps"]] for name, job in jobs.items()}


def _github_step(step: dict[str, Any]) -> Step:
    action = step.get("uses", "").partition("@")[0]
    return Step(step.get("run", ""), action, step.get("with", {}), step.get("env", {}))


def gitlab_jobs(file: Path) -> dict[str, dict[str, Any]]:
    """Job -> its keys, with those of `default`, the global variables, and the jobs that it extends."""
    content = yaml.safe_load(file.read_text())
    shared = content.pop("default", {})
    variables = content.pop("variables", {})
    content.pop("workflow", None)

    def whole(job: dict[str, Any]) -> dict[str, Any]:
        parent = whole(content[job["extends"]]) if "extends" in job else {**shared, "variables": variables}
        return parent | job | {"variables": parent["variables"] | job.get("variables", {})}

    return {name: whole(job) for name, job in content.items() if not name.startswith(".")}


def commands(project: Path) -> dict[str, set[str]]:
    """Workflow of GitHub, by the name of its file, or job of GitLab -> its commands."""
    found = {}
    for file in sorted((project / GITHUB).glob("*.yml")):
        steps = [step for job in yaml.safe_load(file.read_text())["jobs"].values() for step in job["steps"]]
        found[file.name] = {step["run"] for step in steps if "run" in step}
    for file in project.glob(f"*{GITLAB}"):
        for name, job in gitlab_jobs(file).items():
            found[name] = {*job.get("before_script", []), *job["script"]}
    return found
