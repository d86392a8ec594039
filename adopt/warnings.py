"""Warnings of what will fail, or of what only a person can settle."""

import posixpath
import re
import sys
from collections.abc import Iterator

from adopt import python_code, tables
from adopt.answers.api import applications
from adopt.answers.processes import OTHER_IMAGES
from adopt.answers.python import allowance, allows, offers
from adopt.answers.torch import locked
from adopt.findings import Finding, Notice, Source
from adopt.requirements import specifiers
from adopt.survey import Project
from adopt.template import TORCH

NAMES: dict[str, list[str]] = tables.read("imports")
BROUGHT: dict[str, list[str]] = tables.read("brought")
WITHOUT_WHEELS: dict[str, str] = tables.read("compiled")
"""Distributions without a wheel for Linux, and what their build needs."""
OLD: dict[str, str] = tables.read("wheels")
"""The first versions with wheels for CPython 3.11; older ones compile, or fail to."""
DATA_FILE = re.compile(
    r"(?i).*\.(csv|tsv|jsonl?|parquet|pkl|joblib|pt|pth|onnx|h5|npy|npz|ya?ml|txt|xlsx|db|sqlite3?|gguf|safetensors)"
)
ADDRESS = re.compile(r"[\"'](rediss?|postgres(?:ql)?(?:\+\w+)?)://\w")
MAX_EACH = 5
"""Warnings of one kind; more of them say nothing new."""


def find(project: Project, found: dict[str, Finding]) -> Iterator[Notice]:
    """Yield the warnings for a project."""
    yield from _dependencies(project, found)
    yield from _imports(project)
    yield from _versions(project, found)
    yield from _server(project, found)
    yield from _data(project)
    yield from _addresses(project, found)
    yield from _others(project, found)


def _dependencies(project: Project, found: dict[str, Finding]) -> Iterator[Notice]:
    if "requirements_file" not in found:
        names = ", ".join(sorted(missing(project))[:20]) or "nothing but the standard library is imported"
        yield Notice(f"no file lists dependencies; write a requirements.txt ({names})")
        return
    main = str(found["requirements_file"].value)
    if main.endswith("Pipfile"):
        yield Notice("images cannot read a Pipfile; run `pipenv requirements > requirements.txt`", Source(main))
    for listed in project.dependency_files:
        for each in listed.sections.get("", []):
            if tools := WITHOUT_WHEELS.get(each.name):
                yield Notice(f"{each.name} has no wheel: its build needs {tools}", each.source)
            elif each.url.startswith(("./", "../", "file:", "/")) or "@ file:" in each.url:
                yield Notice(f"{each.name} is a folder of this machine, which images do not have", each.source)


def missing(project: Project) -> dict[str, Source]:
    """Return the distributions that the code imports and that no file lists."""
    names = {each.name for file in project.survey.dependency_files for each in file.every()}
    for lock in ("uv.lock", "poetry.lock", "pdm.lock", "Pipfile.lock"):
        text = project.repository.text(project.at(lock))
        names |= {
            name.lower().replace("_", "-")
            for name in re.findall(r'(?m)^name = "([\w.-]+)"|^ {8}"([\w.-]+)": \{', text)
            for name in name
            if name
        }
    waiting = list(names)
    for name in waiting:
        for brought in BROUGHT.get(name, []):
            if brought not in names:
                names.add(brought)
                waiting.append(brought)
    result: dict[str, Source] = {}
    for path, module in project.code.items():
        for each in module.imports:
            top = each.name.split(".")[0]
            if not top or each.optional or top in sys.stdlib_module_names or _own(project, path, top):
                continue
            wanted = NAMES.get(top, [top.lower().replace("_", "-")])
            if not any(
                want in names or any(name.startswith((f"{want}-", f"django-{want}")) for name in names)
                for want in wanted
            ):
                result.setdefault(wanted[0], Source(path, each.line))
    return result


def _own(project: Project, path: str, top: str) -> bool:
    beside = posixpath.dirname(path)
    place = f"{beside}/{top}" if beside else top
    return (
        top in project.top_names
        or project.repository.has(f"{place}.py")
        or place in project.repository.folders
        or top in project.repository.folders
        or any(folder.endswith(f"/{top}") for folder in project.repository.folders)
    )


def _imports(project: Project) -> Iterator[Notice]:
    if project.dependency_files:
        for name, source in list(missing(project).items())[:MAX_EACH]:
            # Files that hold nothing else of interest were searched for imports by their words alone.
            module = python_code.read(source.path, project.repository.text(source.path), whole=True)
            if any(each.line == source.line and not each.optional for each in module.imports):
                yield Notice(f"imports {name}, which no file of dependencies lists", source)
    seen: set[str] = set()
    for name, source in project.imported.items():
        top = name.split(".")[0]
        if top in project.top_names and name not in project.by_name:
            for root in project.roots:
                place = "/".join(part for part in (root, name.replace(".", "/")) if part)
                ignored = project.repository.ignored(f"{place}.py") or project.repository.ignored(f"{place}/")
                if ignored and ignored.path not in seen and place not in project.repository.folders:
                    seen.add(place)
                    yield Notice(f"imports {name}, which {ignored} keeps out of Git", source)
                    break
    for path, module in list(project.code.items()):
        if module.broken:
            yield Notice(
                f"is no Python that {sys.version_info.major}.{sys.version_info.minor} can read",
                Source(path, module.broken),
            )
            return


def _versions(project: Project, found: dict[str, Finding]) -> Iterator[Notice]:
    allowed, source = allowance(project)
    chosen = str(found["python_version"].value)
    if source and not allows(allowed, chosen):
        yield Notice(f"allows Python {allowed}, and images have {', '.join(offers(found))}", source)
    torch = project.listed("torch")
    exactly = re.search(r"==\s*(\d+(?:\.\d+)*)", torch.specifier) if torch else None
    pinned = exactly[1] if exactly else locked(project)
    oldest = next(iter(TORCH["releases"]))
    if torch and pinned and tuple(map(int, pinned.split("."))) < tuple(map(int, oldest.split("."))):
        yield Notice(f"pins torch {pinned}; the oldest that images can have is {oldest}: raise the pin", torch.source)
    if (
        torch
        and (build := re.search(r"\+(cu\d+|cpu|rocm[\d.]+)", torch.specifier))
        and "accelerator" in found
        and build[1] != found["accelerator"].value
    ):
        yield Notice(
            f"pins torch for {build[1]}, and images have {found['accelerator'].value}: leave `+{build[1]}` out",
            torch.source,
        )
    for file in project.dependency_files:
        for each in file.sections.get("", []):
            exact = re.fullmatch(r"==(\d+(?:\.\d+)*)", each.specifier)
            if exact and each.name in OLD and exact[1] not in specifiers(f">={OLD[each.name]}") and chosen != "3.10":
                yield Notice(f"pins {each.name} {exact[1]}, which has no wheel for Python {chosen}", each.source)


def _server(project: Project, found: dict[str, Finding]) -> Iterator[Notice]:
    if not found["api_app"].value:
        return
    server = str(found["api_server"].value)
    for name in server.split("-"):
        listed = project.listed(name) or (name == "uvicorn" and _with_server(project))
        if not listed:
            yield Notice(f"the server {name} is in no file of dependencies; add it", found["api_server"].source)
    app = next((app for app in applications(project) if app.name == found["api_app"].value), None)
    if app and app.factory and app.interface == "wsgi":
        yield Notice(
            f"{app.name} makes the application; add a module with `app = {app.name.partition(':')[2]}()` for gunicorn",
            app.source,
        )


def _with_server(project: Project) -> bool:
    listed = project.listed("fastapi")
    return bool(listed and listed.extras & {"standard", "all"})


def _data(project: Project) -> Iterator[Notice]:
    count = 0
    for path, module in project.code.items():
        for use in module.paths:
            if (
                use.way == "read"
                and "/" in use.path
                and DATA_FILE.fullmatch(use.path)
                and not project.repository.has(project.at(use.path))
            ):
                ignored = project.repository.ignored(project.at(use.path))
                written = any(
                    other.path == use.path and other.way == "write"
                    for each in project.code.values()
                    for other in each.paths
                )
                if not written and count < MAX_EACH:
                    count += 1
                    why = f", which {ignored} keeps out of Git" if ignored else ", which is not in the repository"
                    yield Notice(f"reads {use.path}{why}", Source(path, use.line))
    lfs = (
        project.repository.where(".gitattributes", r"filter=lfs") if project.repository.has(".gitattributes") else None
    )
    if lfs and lfs.line:
        yield Notice("files are in Git LFS: fetch them before a build, or mount them", lfs)


def _addresses(project: Project, found: dict[str, Finding]) -> Iterator[Notice]:
    for path in project.code:
        for number, line in project.repository.lines(path):
            if (match := ADDRESS.search(line)) and not re.search(r"environ|getenv|config\(|Field|: str", line):
                service = "redis" if match[1].startswith("redis") else "postgres"
                if service in found["services"].value:
                    yield Notice(
                        f"names {match[1]}://… itself; read it from a variable, as its password is secret",
                        Source(path, number),
                    )
                    return
    if "bucket" in found["services"].value:
        yield Notice(
            "the S3 store stays in your compose file: containers for existing code have none", found["services"].source
        )


def _others(project: Project, found: dict[str, Finding]) -> Iterator[Notice]:
    if not found["test_command"].value:
        yield Notice("there are no tests; the pipeline will only build the images")
    for service in project.survey.services:
        if match := OTHER_IMAGES.search(service.image):
            yield Notice(
                f"{match[1]} is a service that Slipway does not have; keep it in your compose file", service.source
            )
    tool = project.repository.toml("pyproject.toml").get("tool")
    if isinstance(tool, dict) and isinstance(uv := tool.get("uv"), dict) and uv.get("workspace"):
        yield Notice(
            "members of a workspace of uv are not installed together",
            project.repository.where("pyproject.toml", r"tool\.uv\.workspace"),
        )
    if project.repository.git_folder is None:
        yield Notice("this is no Git repository: run `git init`, and commit, so that updates work")
