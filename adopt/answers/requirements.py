"""Answers requirements_file and requirements_dev."""

import re
from collections.abc import Iterator

from adopt.findings import GUESS, LIKELY, SURE, Finding, Source
from adopt.requirements import DependencyFile, Listed
from adopt.survey import Project, home

DEVELOPMENT = re.compile(r"(?i)(^|[-_./])(dev|devel|development|test|tests|testing|ci)([-_.]|$)")
TOOLS = {
    "pytest",
    "pytest-cov",
    "pytest-asyncio",
    "pytest-mock",
    "pytest-django",
    "hypothesis",
    "tox",
    "nox",
    "coverage",
    "responses",
    "respx",
    "factory-boy",
    "faker",
    "moto",
    "freezegun",
    "mock",
}
"""Distributions that only tests need."""
OTHER = re.compile(
    r"(?i)(^|[-_./])(doc|docs|lint|style|notebook|notebooks|jupyter|gpu|cuda|prod|production|typing|bench|release|min|lock|optional)([-_.]|$)"
)


def find(project: Project, found: dict[str, Finding]) -> Iterator[Finding]:
    """Yield the file of the code's dependencies, and all places of those of its tests."""
    main = main_file(project)
    if main is None:
        return
    others = [
        file for file in project.dependency_files if file is not main and file.kind == main.kind == "requirements"
    ]
    sureness = LIKELY if any(competes(file, main) for file in others) else SURE
    if main.kind == "pipfile":
        sureness = GUESS
    yield Finding("requirements_file", main.path, sureness, Source(main.path))
    places = list(development(project, main))
    tests = bool(project.tests)
    source = places[0][1] if places else None
    listed = any(each.name in TOOLS for each in main.sections.get("", []))
    yield Finding(
        "requirements_dev", [place for place, _ in places], SURE if places or listed or not tests else LIKELY, source
    )


def main_file(project: Project) -> DependencyFile | None:
    """Return the file that lists what the code needs; None if there is none."""
    candidates = [
        file
        for file in project.dependency_files
        if "" in file.sections and not DEVELOPMENT.search(file.path.rpartition("/")[2])
    ]
    ranked = sorted(
        candidates, key=lambda file: (-_weight(project, file), file.path.count("/"), len(file.path), file.path)
    )
    return ranked[0] if ranked else None


def _weight(project: Project, file: DependencyFile) -> int:
    name = file.path.rpartition("/")[2]
    weight = 2 * bool(file.sections.get("") or file.includes)
    if file.kind in ("pyproject", "poetry"):
        weight += 8 if file.sections.get("") or file.scripts else 1
    elif file.kind == "conda":
        weight += 5
    elif file.kind == "requirements":
        weight += 6 if name.endswith(".txt") else 4
        weight += {"requirements.txt": 1, "prod.txt": 1, "production.txt": 1, "requirements-prod.txt": 1}.get(name, 0)
        weight -= 3 * bool(OTHER.search(name) and not re.search("prod", name))
    elif file.kind == "setup":
        weight += 3
    weight += 1 if home(file) == project.folder else 0
    if any(re.search(rf"(^|[\s/=]){re.escape(name)}(\s|$)", text) for text, _ in installs(project)):
        weight += 3
    return weight


def installs(project: Project) -> Iterator[tuple[str, Source]]:
    """Yield the commands of Dockerfiles that install dependencies."""
    for file in project.survey.dockerfiles:
        if project.holds(file.path):
            yield from (
                (text, source) for text, source in file.runs if re.search(r"\b(pip|conda|mamba|uv|poetry|pdm)\b", text)
            )


def competes(file: DependencyFile, main: DependencyFile) -> bool:
    """Return whether another file may list the code's dependencies as well."""
    return (
        not DEVELOPMENT.search(file.path)
        and not OTHER.search(file.path)
        and file.path not in main.includes
        and file.path.removesuffix(".in") != main.path.removesuffix(".txt")
    )


def development(project: Project, main: DependencyFile) -> Iterator[tuple[str, Source]]:
    """Yield the places of dependencies of tests: extra:NAME, group:NAME or a file, each with its source."""
    if main.kind in ("pyproject", "poetry", "setup"):
        for section, listed in main.sections.items():
            kind, _, name = section.partition(":")
            if kind in ("extra", "group") and _tests(name, listed):
                source = listed[0].source if listed else project.repository.where(main.path, rf"\b{re.escape(name)}\b")
                yield section, Source(source.path, source.line)
    included = set(main.includes)
    for file in project.dependency_files:
        if (
            file.kind == "requirements"
            and file is not main
            and file.path not in included
            and file.sections.get("", file.includes) is not None
        ):
            compiled = file.path.endswith(".in") and project.repository.has(file.path.removesuffix(".in") + ".txt")
            if _tests(file.path, file.sections.get("", [])) and not compiled:
                yield file.path, Source(file.path)


def _tests(name: str, listed: list[Listed]) -> bool:
    return bool(DEVELOPMENT.search(name)) or (
        any(each.name in TOOLS for each in listed) and not re.search(r"(?i)all|full|prod", name)
    )
