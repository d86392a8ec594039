"""Continuous integration and test runners: Python versions and command lines."""

import re
from collections.abc import Iterator
from typing import Any

from adopt.command_lines import CommandLine, split
from adopt.findings import Source
from adopt.repository import Repository
from adopt.requirements import table

MAX_DEPTH = 8


def paths(repository: Repository) -> list[str]:
    """Return the files of pipelines: GitHub, GitLab, CircleCI, Azure, Travis, Bitbucket."""
    pattern = (
        r"\.github/workflows/.+\.ya?ml|\.circleci/config\.yml|(\.gitlab-ci|\.travis|(azure|bitbucket)-pipelines)\.yml"
    )
    return [path for path in repository.files if re.fullmatch(pattern, path)]


def python_versions(repository: Repository) -> Iterator[tuple[str, Source]]:
    """Yield the Python versions that pipelines, tox and nox name."""
    for path in paths(repository):
        for number, line in repository.lines(path):
            if re.search(
                r"python[-_ ]?versions?\b|\bimage:\s*[\"']?python:|^\s*-?\s*[\"']?3\.\d+[\"']?\s*$|\bpython:", line
            ):
                for version in re.findall(r"\b3\.\d{1,2}\b", line):
                    yield version, Source(path, number)
    for path in repository.named(r"tox\.ini|noxfile\.py"):
        for number, line in repository.lines(path):
            if re.search(r"envlist|env_list|python\s*=", line):
                for major, minor in re.findall(r"\bpy(3)(\d{1,2})\b", line):
                    yield f"{major}.{minor}", Source(path, number)
                for version in re.findall(r"[\"'](3\.\d{1,2})[\"']", line):
                    yield version, Source(path, number)


def command_lines(repository: Repository) -> Iterator[CommandLine]:
    """Yield the command lines of pipelines and of tox."""
    for path in paths(repository):
        for text in _scripts(repository.yaml(path)):
            for line in text.splitlines():
                source = repository.where(path, re.escape(line.strip())) if line.strip() else Source(path)
                yield from split(line.strip(), "", source, "pipeline")
    for path in repository.named(r"tox\.ini"):
        for number, line in repository.lines(path):
            if re.match(r"\s+\w|commands\s*=\s*\w", line):
                text = re.sub(r"^\s*commands\s*=", "", line).replace("{posargs}", "")
                yield from split(text, "", Source(path, number), "pipeline")


def _scripts(content: Any, depth: int = 0) -> Iterator[str]:
    pairs = content.items() if isinstance(content, dict) else enumerate(content) if isinstance(content, list) else ()
    for key, value in pairs if depth < MAX_DEPTH else ():
        if key in ("run", "script", "before_script"):
            texts = value if isinstance(value, list) else [value]
            yield from (text for text in texts if isinstance(text, str))
        else:
            yield from _scripts(value, depth + 1)


def services(repository: Repository) -> Iterator[tuple[str, Source]]:
    """Yield the images of services that pipelines start beside the tests."""
    for path in paths(repository):
        for job in table(repository.yaml(path), "jobs").values():
            for service in table(job, "services").values():
                if isinstance(service, dict) and isinstance(image := service.get("image"), str):
                    yield image, repository.where(path, re.escape(image))
