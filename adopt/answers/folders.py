"""Answers output_folders and input_folders: folders that the code writes to, and those it reads that Git lacks."""

import re
from collections.abc import Iterator

from adopt.findings import GUESS, LIKELY, SURE, Finding, Source, Sureness
from adopt.python_code import READ_NAME, WRITTEN_NAME
from adopt.survey import Project

TOOL = {
    "build",
    "dist",
    "htmlcov",
    "venv",
    "env",
    "node_modules",
    "__pycache__",
    "site",
    "target",
    "docs",
    "bin",
    "lib",
    "tmp",
    "temp",
    "cache",
    ".",
    "..",
    "tests",
    "test",
    "src",
    "static",
    "templates",
    "migrations",
    "alembic",
    "scripts",
    "docker",
    "config",
    "configs",
    "conf",
    "eggs",
    "wheels",
    "coverage",
    "staticfiles_dev",
    "public",
}
"""Folders of tools and of sources, which no program writes results to."""
MODELS = re.compile(r"(?i)(models?|weights|checkpoints?|ckpts?|artifacts?)$")
READ_ONLY = re.compile(r"(?i)(.*/)?(data(sets?)?|raw|inputs?|corpus|corpora)(/.*)?")


def find(project: Project, found: dict[str, Finding]) -> Iterator[Finding]:
    """Yield the folders that the code writes to, and those that it reads and that Git does not have."""
    evidence = uses(project)
    outputs: dict[str, tuple[Source, Sureness]] = {}
    inputs: dict[str, tuple[Source, Sureness]] = {}
    for folder, places in sorted(evidence.items()):
        ways = {way for way, _ in places}
        source = next((source for way, source in places if way == "write"), places[0][1])
        ignored = project.repository.ignored(f"{folder}/") or project.repository.ignored(f"{folder}/x.bin")
        tracked = [
            path
            for path in project.repository.below(folder)
            if not path.endswith((".gitkeep", ".gitignore", ".keep", "README.md"))
        ]
        code = any(path.endswith(".py") for path in tracked)
        if code:
            continue
        if "mount" in ways:
            outputs[folder] = (source, SURE)
        elif "mount-read" in ways:
            inputs[folder] = (source, SURE)
        elif "write" in ways and (ignored or not tracked):
            outputs[folder] = (source, LIKELY)
        elif "write" in ways:
            outputs[folder] = (source, GUESS)
        elif ignored and not tracked and READ_ONLY.fullmatch(folder):
            inputs[folder] = (source, LIKELY)
        elif ignored and not tracked:
            outputs[folder] = (source, LIKELY)
    outputs = {
        folder: each for folder, each in outputs.items() if not any(folder.startswith(f"{other}/") for other in outputs)
    }
    yield _joined("output_folders", outputs)
    inputs = {folder: each for folder, each in inputs.items() if folder not in outputs}
    yield _joined("input_folders", inputs)


def _joined(answer: str, folders: dict[str, tuple[Source, Sureness]]) -> Finding:
    if not folders:
        return Finding(answer, [], LIKELY)
    worst = max((sureness for _, sureness in folders.values()), key=[SURE, LIKELY, GUESS].index)
    return Finding(answer, list(folders), worst, next(iter(folders.values()))[0])


def uses(project: Project) -> dict[str, list[tuple[str, Source]]]:
    """Return the folders that the code, its configuration and compose name, with how they are used."""
    found: dict[str, list[tuple[str, Source]]] = {}

    def note(path: str, way: str, source: Source) -> None:
        if folder := folder_of(project, path, way):
            found.setdefault(folder, []).append((way, source))

    for path, module in project.code.items():
        for use in module.paths:
            note(use.path, use.way, Source(path, use.line))
    for path in project.files:
        if (
            re.fullmatch(r".*\.(ya?ml|toml|json|ini|cfg|env\.example)", path)
            and "compose" not in path
            and not path.startswith(".")
            and not re.search(r"package|lock|tsconfig|pyproject|environment\.y", path)
        ):
            for number, line in project.repository.lines(path):
                if match := re.match(
                    r"\s*[\"']?([\w.-]+)[\"']?\s*[:=]\s*[\"']?(\.?/?[\w./${}-]+?)[\"']?,?\s*(#.*)?$", line
                ):
                    name, value = match[1], match[2].partition("$")[0]
                    if (
                        re.fullmatch(r"(\./)?[A-Za-z0-9_][\w.-]*(/[\w.-]*)*", value)
                        and (
                            WRITTEN_NAME.search(name)
                            or READ_NAME.search(name)
                            or name in ("dir", "path")
                            or name.endswith(("_dir", "_path", "_folder"))
                        )
                        and ("/" in value or WRITTEN_NAME.search(name) or name.endswith(("_dir", "_folder")))
                    ):
                        note(
                            value.removeprefix("./"),
                            "write" if WRITTEN_NAME.search(name) or name == "dir" else "read",
                            Source(path, number),
                        )
    for path, module in project.code.items():
        if module.parser == "hydra.main":  # writes there unless its configuration names another folder
            found.setdefault(project.at("outputs"), []).append(("write", Source(path, module.parser_line)))
    for service in project.survey.services:
        if project.builds(service):
            for origin, _, read_only in service.volumes:
                if origin.startswith("./") and len(origin) > 2:
                    way = "mount-read" if read_only else "mount"
                    if (
                        not any(path.endswith(".py") for path in project.repository.below(origin[2:]))
                        and project.repository.below(origin[2:]) != [origin[2:]]
                        and not project.repository.has(origin[2:])
                    ):
                        found.setdefault(origin[2:], []).append((way, service.source))
    return found


def folder_of(project: Project, path: str, way: str) -> str:
    """Return the folder of a literal path from the root of the repository; empty if it is none of the repository's."""
    parts = [part for part in path.split("/") if part not in ("", ".")]
    if not parts or parts[0] in TOOL or parts[0].startswith("~") or "*" in path or " " in path:
        return ""
    if "." in parts[-1].lstrip(".") or path.endswith("}"):
        parts = parts[:-1]
    if not parts:
        return ""
    known = (WRITTEN_NAME, MODELS, READ_ONLY)
    named = way == "write" or any(each.search(parts[0]) for each in known) or project.repository.ignored(f"{parts[0]}/")
    if len(parts) == 1 and "/" not in path and not named:
        return ""
    # Of data/processed and outputs/runs/1, the folder that holds nothing of the repository.
    top = project.at(parts[0])
    tracked = [
        each for each in project.repository.below(top) if not each.endswith((".gitkeep", ".gitignore", "README.md"))
    ]
    whole = not tracked and project.repository.ignored(f"{top}/")
    nested = len(parts) > 1 and not whole and (tracked or READ_ONLY.fullmatch(parts[0]))
    return project.at("/".join(parts[:2])) if nested else top
