"""Front ends: folders with a package.json of Next.js, Vite or Create React App, and how they are built."""

import re
from collections.abc import Iterator
from typing import Any

from adopt.findings import LIKELY, SURE, Finding, Source
from adopt.repository import Repository
from adopt.requirements import table
from adopt.survey import Project

FRAMEWORKS = {"next": "next", "react-scripts": "cra", "vite": "vite"}
PUBLIC = {"next": "NEXT_PUBLIC_", "vite": "VITE_", "cra": "REACT_APP_"}
OUTPUT = {"next": ".next", "vite": "dist", "cra": "build"}
LOCKS = {"pnpm-lock.yaml": "pnpm", "yarn.lock": "yarn", "package-lock.json": "npm"}
ADDRESS = re.compile(r"(API|BACKEND|SERVER|GATEWAY)\w*", re.IGNORECASE)
MAX_SOURCES = 300


def find(project: Project, found: dict[str, Finding]) -> Iterator[Finding]:
    """Yield the front ends by folder, with their answers; none for a project inside another."""
    ends: dict[str, Any] = {}
    source: Source | None = None
    for path in project.repository.named(r"package\.json"):
        if answers := front_end(project.repository, path):
            ends[path.rpartition("/")[0] or "."] = answers
            source = source or Source(path)
    yield Finding("front_ends", ends, SURE if ends else LIKELY, source)


def front_end(repository: Repository, path: str) -> dict[str, Any]:
    """Return the answers of preset frontend for a package.json; empty if it is no front end."""
    content = repository.json(path)
    packages = table(content, "dependencies") | table(content, "devDependencies")
    framework = next((kind for name, kind in FRAMEWORKS.items() if name in packages), "")
    if not framework:
        return {}
    folder = path.rpartition("/")[0]
    below = [
        each
        for each in repository.below(folder)
        if re.search(r"\.(jsx?|tsx?|mjs|vue|svelte|env.*)$|/\.env[\w.]*$", each)
    ]
    manager = next(
        (
            kind
            for name, kind in LOCKS.items()
            for place in (folder, "")
            if repository.has(f"{place}/{name}".strip("/"))
        ),
        "npm",
    )
    declared = str(content.get("packageManager", "")).partition("@")[0]
    answers: dict[str, Any] = {
        "frontend": framework,
        "node_package_manager": declared if declared in LOCKS.values() else manager,
    }
    if version := node_version(repository, folder, content):
        answers["node_version"] = version
    if "build" in table(content, "scripts"):
        answers["build_command"] = f"{answers['node_package_manager']} run build"
    answers["build_output"] = output(repository, folder, framework)
    names: set[str] = set()
    address = ""
    for each in below[:MAX_SOURCES]:
        text = repository.text(each)
        names |= set(re.findall(rf"\b{PUBLIC[framework]}\w+", text))
        if not address and (match := re.search(r"(https?://(?:localhost|127\.0\.0\.1):\d+)", text)):
            address = match[1]
    answers["public_variables"] = sorted(names)
    variable = next((name for name in sorted(names) if ADDRESS.search(name.removeprefix(PUBLIC[framework]))), "")
    answers["api_address"] = variable or address
    return answers


def node_version(repository: Repository, folder: str, content: dict[str, Any]) -> str:
    """Return the major version of Node that a front end names; empty if it names none."""
    for name in (".nvmrc", ".node-version"):
        for place in (folder, ""):
            if match := re.match(r"v?(\d+)", repository.text(f"{place}/{name}".strip("/"))):
                return match[1]
    match = re.search(r"\d+", str(table(content, "engines").get("node", "")))
    return match[0] if match else ""


def output(repository: Repository, folder: str, framework: str) -> str:
    """Return the folder that a build writes to."""
    for path in repository.below(folder):
        if re.search(r"(^|/)(vite|next)\.config\.\w+$", path):
            if match := re.search(r"\b(?:outDir|distDir)\s*:\s*[\"']\.?/?([\w./-]+)[\"']", repository.text(path)):
                return match[1]
            if framework == "next" and re.search(r"output\s*:\s*[\"']export[\"']", repository.text(path)):
                return "out"
    return OUTPUT[framework]
