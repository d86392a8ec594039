"""Everything that is read from a repository, once, and the Python projects in it."""

import posixpath
import re
from functools import cached_property
from pathlib import Path

from adopt import command_lines, compose, dockerfile, pipelines, python_code
from adopt.command_lines import TRUST, CommandLine
from adopt.findings import Source
from adopt.python_code import Module
from adopt.repository import Repository
from adopt.requirements import DependencyFile, Listed, dependency_files, table

TEST_FOLDERS = {"test", "tests", "testing", "e2e", "integration_tests"}
BESIDE_CODE = {
    "docs",
    "doc",
    "examples",
    "example",
    "benchmarks",
    "benchmark",
    "notebooks",
    "notebook",
    ".github",
    "third_party",
    "vendor",
    "docker",
    "deploy",
    "deployment",
    "infra",
    "k8s",
    "samples",
    "demo",
    "demos",
    "sandbox",
    "experiments_old",
    "template",
    "templates",
    "cookiecutter",
}
"""Folders whose code is no part of what a production image runs."""
BESIDE_FILES = {
    "setup.py",
    "noxfile.py",
    "conftest.py",
    "tasks.py",
    "fabfile.py",
    "dodo.py",
    "versioneer.py",
    "conf.py",
}


class Survey:
    """A repository, read."""

    def __init__(self, folder: Path) -> None:
        """Read a repository.

        Raises:
            UnreadableError: if the folder cannot be adopted.
        """
        self.repository = Repository(folder)
        python = [path for path in self.repository.files if path.endswith(".py")]
        self.modules = {
            path: python_code.read(path, self.repository.text(path), None if is_code(path) else False)
            for path in python
        }
        self.dependency_files = dependency_files(self.repository)
        self.dockerfiles = dockerfile.dockerfiles(self.repository)
        self.services = compose.services(self.repository)

    @cached_property
    def lines(self) -> list[CommandLine]:
        """All command lines, those that are trusted most first."""
        found = [line for file in self.dockerfiles for line in file.commands]
        found += [line for service in self.services for line in service.commands]
        found += command_lines.in_files(self.repository)
        found += pipelines.command_lines(self.repository)
        return sorted(found, key=lambda line: TRUST.index(line.origin))

    @cached_property
    def projects(self) -> list["Project"]:
        """The Python projects: folders with code and dependencies of their own; the root first if it is one."""
        root = [path for path in self.modules if is_code(path)]
        folders = sorted(
            {home(file) for file in self.dependency_files if is_main(file)}, key=lambda name: (name.count("/"), name)
        )
        folders = [
            folder
            for folder in folders
            if not aside(folder) and (not folder or any(path.startswith(f"{folder}/") for path in root))
        ]
        workspace = table(table(self.repository.toml("pyproject.toml"), "tool"), "uv").get("workspace")
        if "" in folders:
            inner = [folder for folder in folders if folder and not workspace]
            outside = [path for path in root if not any(path.startswith(f"{folder}/") for folder in inner)]
            if outside or not inner:
                folders = ["", *(folder for folder in inner if self._stands_alone(folder))]
            else:
                folders = inner
        if not folders:
            tops = {path.split("/")[0] if "/" in path else "" for path in root}
            folders = [""] if len(tops) != 1 or self._is_package(next(iter(tops))) else [next(iter(tops))]
        return [Project(self, folder, [other for other in folders if other != folder]) for folder in folders]

    def _is_package(self, folder: str) -> bool:
        return self.repository.has(f"{folder}/__init__.py") or folder == "src"

    def _stands_alone(self, folder: str) -> bool:
        """Return whether a folder below a project is a service of its own."""
        below = [module for path, module in self.modules.items() if path.startswith(f"{folder}/") and is_code(path)]
        built = any(file.path.startswith(f"{folder}/") for file in self.dockerfiles)
        built = built or any(service.build == folder for service in self.services)
        return built or any(module.apps or module.parts for module in below)


def home(file: DependencyFile) -> str:
    """Return the folder that a file lists dependencies for: of requirements/base.txt, the one above."""
    folder = file.folder
    return (
        folder.rpartition("/")[0] if posixpath.basename(folder) in ("requirements", "reqs", "conda", "envs") else folder
    )


def is_main(file: DependencyFile) -> bool:
    """Return whether a file lists dependencies of code, rather than of its tests or documentation."""
    return bool(file.sections.get("")) or file.installs_itself or bool(file.includes) or "" in file.sections


def aside(path: str) -> bool:
    """Return whether a folder is beside the code: tests, documentation, examples."""
    return bool((TEST_FOLDERS | BESIDE_CODE).intersection(path.split("/")))


def is_test(path: str) -> bool:
    """Return whether a Python file belongs to the tests."""
    name = path.rpartition("/")[2]
    return bool(TEST_FOLDERS.intersection(path.split("/")[:-1])) or bool(
        re.fullmatch(r"test_.*\.py|.*_test\.py|conftest\.py|tests\.py", name)
    )


def is_code(path: str) -> bool:
    """Return whether a Python file is code that production may run."""
    return not is_test(path) and not aside(path.rpartition("/")[0]) and path.rpartition("/")[2] not in BESIDE_FILES


class Project:
    """A folder with Python code: the whole repository, or a service in it."""

    def __init__(self, survey: Survey, folder: str, others: list[str]) -> None:
        self.survey = survey
        self.repository = survey.repository
        self.folder = folder
        self.others = [other for other in others if not folder or other.startswith(f"{folder}/")]

    def holds(self, path: str) -> bool:
        """Return whether a path belongs to this project and to no other inside it."""
        inside = not self.folder or path == self.folder or path.startswith(f"{self.folder}/")
        return inside and not any(path == other or path.startswith(f"{other}/") for other in self.others)

    def at(self, path: str) -> str:
        """Return a path of the project from the root of the repository."""
        return f"{self.folder}/{path}".strip("/") if self.folder else path

    def inside(self, path: str) -> str:
        """Return a path of the repository from the folder of the project."""
        return path.removeprefix(f"{self.folder}/") if self.folder else path

    def builds(self, service: compose.Service) -> bool:
        """Return whether the image of a compose service is built from this project."""
        if service.build is None:
            return False
        place = posixpath.normpath(posixpath.join(service.build, posixpath.dirname(service.dockerfile))).removeprefix(
            "."
        )
        return self.holds((place if place in self.repository.folders else service.build) or ".")

    @cached_property
    def files(self) -> list[str]:
        """The files of the project, from the root of the repository."""
        return [path for path in self.repository.files if self.holds(path)]

    @cached_property
    def modules(self) -> dict[str, Module]:
        """All Python files of the project."""
        return {path: module for path, module in self.survey.modules.items() if self.holds(path)}

    @cached_property
    def code(self) -> dict[str, Module]:
        """The Python files that production may run."""
        return {path: module for path, module in self.modules.items() if is_code(self.inside(path))}

    @cached_property
    def tests(self) -> dict[str, Module]:
        """The Python files of the tests."""
        return {path: module for path, module in self.modules.items() if is_test(self.inside(path))}

    @cached_property
    def dependency_files(self) -> list[DependencyFile]:
        """The files that list dependencies of this project, and of the root if it lists some for all."""
        mine = [
            file
            for file in self.survey.dependency_files
            if self.holds(file.path) and not aside(self.inside(home(file)))
        ]
        return mine or [file for file in self.survey.dependency_files if not home(file)]

    @cached_property
    def lines(self) -> list[CommandLine]:
        """The command lines that belong to this project, those that are trusted most first."""
        return [line for line in self.survey.lines if self._runs_here(line)]

    def _runs_here(self, line: CommandLine) -> bool:
        if line.script and self.repository.has(line.script):
            return self.holds(line.script)
        return self.holds(line.folder or ".") if self.folder else not line.folder or self.holds(line.folder)

    @cached_property
    def src(self) -> bool:
        """Whether `src` is a folder of packages, rather than a package that is imported by that name."""
        folder = self.at("src")
        if not any(path.startswith(f"{folder}/") and path.endswith(".py") for path in self.files):
            return False
        imported = any(
            name.name == "src" or name.name.startswith("src.")
            for module in self.modules.values()
            for name in module.imports
        )
        lines = any(
            re.search(r"\bsrc\.\w", " ".join(line.words))
            for line in self.lines
            if line.program in ("uvicorn", "gunicorn")
        )
        return not (imported or lines or self.repository.has(f"{folder}/__init__.py"))

    @cached_property
    def base(self) -> str:
        """The folder that servers and commands run in, from the root of the repository, if the code needs it.

        That is a folder whose modules import each other by names that exist there alone, or that a server's command
        line runs in.
        """
        if self.folder:
            return self.folder
        for line in self.lines:
            name = next(
                (word.partition(":")[0] for word in line.arguments if re.fullmatch(r"[\w.]+:\w+(\(\))?", word)), ""
            )
            folder = line.option("--app-dir", "--chdir") or line.folder
            if name and folder and f"{folder}/{name.replace('.', '/')}.py" in self.code:
                return folder
        folders = {
            path.split("/")[0] for path, module in self.code.items() if "/" in path and (module.apps or module.servers)
        }
        for folder in sorted(folders):
            if self.repository.has(f"{folder}/__init__.py"):
                continue
            here = {path.split("/")[1].removesuffix(".py") for path in self.code if path.startswith(f"{folder}/")}
            root = {path.split("/")[0].removesuffix(".py") for path in self.code}
            inside = [module for path, module in self.code.items() if path.startswith(f"{folder}/")]
            names = {each.name.split(".")[0] for module in inside for each in module.imports}
            if names & here - root and folder not in names:
                return folder
        return ""

    @cached_property
    def roots(self) -> list[str]:
        """The folders that imports begin at, from the root of the repository."""
        found = [self.folder, self.base, self.at("src")] if self.src else [self.folder, self.base]
        return list(dict.fromkeys(found))

    def module_name(self, path: str) -> str:
        """Return the dotted name of a Python file, from the root that it is imported from."""
        root = next((root for root in reversed(self.roots) if not root or path.startswith(f"{root}/")), "")
        name = path.removeprefix(f"{root}/") if root else path
        return name.removesuffix(".py").removesuffix("/__init__").replace("/", ".")

    @cached_property
    def by_name(self) -> dict[str, str]:
        """The Python files by their dotted names."""
        return {self.module_name(path): path for path in self.modules}

    @cached_property
    def top_names(self) -> set[str]:
        """The names that imports of the project's own code begin with."""
        return {name.split(".")[0] for name in self.by_name}

    def packages(self, root: str) -> list[str]:
        """Return the folders below a root of imports that hold code, by name."""
        prefix = f"{root}/" if root else ""
        names = {
            path.removeprefix(prefix).split("/")[0]
            for path in self.code
            if path.startswith(prefix) and "/" in path.removeprefix(prefix)
        }
        return sorted(names)

    @cached_property
    def imported(self) -> dict[str, Source]:
        """The modules that the code imports by their full names, each with the first place."""
        found: dict[str, Source] = {}
        for path, module in self.code.items():
            for each in module.imports:
                if not each.name.startswith("."):
                    found.setdefault(each.name, Source(path, each.line))
        return found

    def listed(self, *names: str) -> Listed | None:
        """Return the first of the distributions that any file of the project lists."""
        for file in self.dependency_files:
            if found := file.lists(*names):
                return found
        return None
