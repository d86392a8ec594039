"""Answer commands: console scripts, scripts and modules that read arguments, and Django's manage.py."""

import posixpath
import re
from collections.abc import Iterator

from adopt.command_lines import CommandLine
from adopt.findings import GUESS, LIKELY, SURE, Finding, Source, Sureness
from adopt.python_code import Module
from adopt.survey import Project

WORD = re.compile(r"[A-Za-z0-9_./+@=%,:-]*[A-Za-z0-9_./+@=%,-]")
RESERVED = {"serve", "doctor", "help"}
USUAL = re.compile(
    r"(?i)(^|_)(train|predict|inference|infer|evaluate|eval|test_model|run|main|finetune|fine_tune|preprocess|prepare|download|export|generate|ingest|index|cli|benchmark|score|convert|build|etl|pipeline|process|extract|crawl|scrape|sync|import|seed|worker|bot|report|simulate|optimi[sz]e|tune|retrain)(_|$|\d)"
)
MAX_COMMANDS = 50


def find(project: Project, found: dict[str, Finding]) -> Iterator[Finding]:
    """Yield the commands of the image."""
    install = found["install"].value == "yes"
    commands: dict[str, str] = {}
    source: Source | None = None
    sureness: Sureness = SURE
    entries = (
        [(name, entry, place) for file in project.dependency_files for name, (entry, place) in file.scripts.items()]
        if install
        else []
    )
    for name, _, place in entries:
        commands.setdefault(name_of(name), name)
        source = source or place
    declared = {entry.partition(":")[0] for _, entry, _ in entries}
    # Scripts at the root keep their plain names; those in folders that share one are told apart by the folder.
    for path, module in sorted(project.code.items(), key=lambda pair: (pair[0].count("/"), pair[0])):
        if (wanted := runs(project, path, module, declared)) is None:
            continue
        line = said(project, path)
        text = command(project, path, module, line, found)
        parts = path.removesuffix(".py").removesuffix("/__main__").split("/")
        name = name_of(parts[-1])
        commands.setdefault(name if name not in commands else name_of("-".join(parts[-2:])), text)
        source = source or (line.source if line else Source(path, module.guard or module.parser_line))
        sureness = max(sureness, wanted, key=[SURE, LIKELY, GUESS].index)
    commands = {name: text for name, text in commands.items() if name and text}
    yield Finding("commands", dict(list(commands.items())[:MAX_COMMANDS]), sureness if commands else LIKELY, source)


def name_of(text: str) -> str:
    """Return a name for a command in lower-case letters, digits and hyphens."""
    name = re.sub(r"[^a-z0-9]+", "-", text.lower()).strip("-")[:40].strip("-")
    return f"run-{name}" if name in RESERVED else re.sub(r"^[^a-z]+", "", name)


def runs(project: Project, path: str, module: Module, declared: set[str]) -> Sureness | None:
    """Return how sure it is that a file is run as a command; None if it is not."""
    name = posixpath.basename(path)
    if name == "manage.py" and "django" in project.repository.text(path):
        return SURE
    if name == "__main__.py":
        dotted = project.module_name(path).removesuffix(".__main__")
        return None if any(each == dotted or each.startswith(f"{dotted}.") for each in declared) else SURE
    if not module.guard:
        return (
            SURE
            if not module.servers and not module.apps and said(project, path) and not packaged(project, path)
            else None
        )
    if (
        project.module_name(path) in declared
        or module.servers
        or serves(module)
        or any(part.value in ("streamlit", "gradio", "rq-worker", "scheduler") for part in module.parts)
    ):
        return None
    if module.parser:
        return SURE
    if said(project, path):
        return SURE
    if packaged(project, path):
        return LIKELY if USUAL.search(name.removesuffix(".py")) else None
    return LIKELY if USUAL.search(name.removesuffix(".py")) or "/" not in project.inside(path) else GUESS


def serves(module: Module) -> bool:
    """Return whether what a script runs is its application."""
    names = {each.name for each in [*module.apps, *module.made]}
    return any(call.removesuffix(".run") in names for call in module.guarded_calls if call.endswith(".run"))


def packaged(project: Project, path: str) -> bool:
    """Return whether a file is a module of a package, rather than a script."""
    folder = posixpath.dirname(path)
    if not folder or folder == project.folder:
        return False
    return project.repository.has(f"{folder}/__init__.py") or (project.src and path.startswith(f"{project.at('src')}/"))


def said(project: Project, path: str) -> CommandLine | None:
    """Return the command line of the repository that runs a file, as a script or as a module."""
    dotted = project.module_name(path).removesuffix(".__main__")
    for line in project.lines:
        if line.script == path or (line.is_python and line.program == dotted):
            return line
    return None


def command(project: Project, path: str, module: Module, line: CommandLine | None, found: dict[str, Finding]) -> str:
    """Return the command line of a script, with the arguments that it needs if the repository names them."""
    folder = str(found["working_folder"].value)
    place = path.removeprefix(f"{folder}/") if folder else path
    dotted = project.module_name(path).removesuffix(".__main__")
    inside = packaged(project, path) or path.endswith("__main__.py")
    as_module = inside and (found["install"].value == "yes" or _imports_itself(project, path, module)) and "." in dotted
    if path.endswith("__main__.py"):
        as_module = True
    if line is not None:
        as_module = line.is_python and line.words[1:2] == ("-m",)
    words = ["python", "-m", dotted] if as_module else ["python", place]
    if module.needs_arguments and line is not None:
        given = (
            line.arguments
            if as_module
            else line.words[[posixpath.basename(word) for word in line.words].index(posixpath.basename(path)) + 1 :]
        )
        if all(WORD.fullmatch(word) for word in given):
            words += given
    return " ".join(words) if all(WORD.fullmatch(word) for word in words) else ""


def _imports_itself(project: Project, path: str, module: Module) -> bool:
    """Return whether a module of a package imports its neighbours by the package's name."""
    top = project.module_name(path).split(".")[0]
    return any(each.name.startswith((".", f"{top}.")) or each.name == top for each in module.imports)
