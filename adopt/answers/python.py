"""Answer python_version: the version for images, of those that the template offers."""

import re
from collections.abc import Iterator

from packaging.specifiers import SpecifierSet

from adopt import pipelines
from adopt.findings import GUESS, LIKELY, SURE, Finding, Source, Sureness
from adopt.requirements import specifiers
from adopt.survey import Project
from adopt.template import TORCH

TOO_OLD = {"3.9"}
"""Versions that lack what the scripts of images need."""


def find(project: Project, found: dict[str, Finding]) -> Iterator[Finding]:
    """Yield the Python version."""
    offered = offers(found)
    usual = str(TORCH["default"]["python"])
    allowed, place = allowance(project)
    possible = [version for version in offered if allows(allowed, version)]
    for version, source, sureness in named(project):
        if version in possible:
            yield Finding("python_version", version, sureness, source)
            return
    if not possible:
        yield Finding("python_version", usual if usual in offered else offered[0], GUESS, place)
    else:
        chosen = usual if usual in possible else possible[0]
        yield Finding("python_version", chosen, (SURE if len(possible) == 1 else LIKELY) if place else GUESS, place)


def offers(found: dict[str, Finding]) -> list[str]:
    """Return the Python versions that the template offers beside the version of torch."""
    chosen = found["torch_version"].value if "torch_version" in found else "none"
    release = TORCH["releases"].get(chosen) or TORCH["releases"][TORCH["default"]["torch"]]
    return [version for version in release["python"] if version not in TOO_OLD]


def allowance(project: Project) -> tuple[SpecifierSet, Source | None]:
    """Return the versions that the project allows, and where it says so."""
    for file in project.dependency_files:
        if file.python and file.kind != "conda":
            return specifiers(file.python[0]), file.python[1]
    return SpecifierSet(), None


def allows(allowed: SpecifierSet, version: str) -> bool:
    """Return whether specifiers allow the newest release of a minor version."""
    return allowed.contains(f"{version}.99") or allowed.contains(f"{version}.0")


def named(project: Project) -> Iterator[tuple[str, Source, Sureness]]:
    """Yield the versions that a project names, those that are trusted most first."""
    repository = project.repository
    for folder in dict.fromkeys([project.folder, ""]):
        for name, pattern in (
            (".python-version", r"^\s*(?:cpython-)?(3\.\d+)"),
            (".tool-versions", r"^python\s+(3\.\d+)"),
            ("runtime.txt", r"^python-(3\.\d+)"),
            (".mise.toml", r"python\s*=\s*\"(3\.\d+)"),
        ):
            path = f"{folder}/{name}" if folder else name
            for number, line in repository.lines(path) if repository.has(path) else []:
                if match := re.match(pattern, line):
                    yield match[1], Source(path, number), SURE
    for file in project.dependency_files:
        if file.python and file.kind in ("conda", "pipfile") and (match := re.match(r"==?(3\.\d+)", file.python[0])):
            yield match[1], file.python[1], SURE
    tested = list(pipelines.python_versions(repository))
    single = {version for version, _ in tested}
    built = [
        (match[1], source)
        for file in project.survey.dockerfiles
        if project.holds(file.path)
        for image, source in file.images
        if (match := re.search(r"python:?.*?(3\.\d+)", image))
    ]
    if len(single) == 1:
        yield *tested[0], SURE if not built or built[0][0] == tested[0][0] else LIKELY
    for version, source in built:
        yield version, source, SURE if not single or version in single else LIKELY
    usual = str(TORCH["default"]["python"])
    newest = sorted(tested, key=lambda pair: (pair[0] == usual, int(pair[0].split(".")[1])), reverse=True)
    for version, source in newest:
        yield version, source, LIKELY
