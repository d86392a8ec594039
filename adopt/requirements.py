"""Files that list dependencies: requirements.txt, pyproject.toml, setup.py, setup.cfg, environment.yml, Pipfile."""

import ast
import configparser
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import Any

from packaging.requirements import InvalidRequirement, Requirement
from packaging.specifiers import SpecifierSet
from packaging.utils import canonicalize_name

from adopt import python_code
from adopt.findings import Source
from adopt.repository import Repository

CONDA_NAMES = {
    "pytorch": "torch",
    "pytorch-cpu": "torch",
    "pytorch-gpu": "torch",
    "opencv": "opencv-python",
    "py-opencv": "opencv-python",
    "faiss-cpu": "faiss-cpu",
    "msgpack-python": "msgpack",
    "python-graphviz": "graphviz",
    "pytables": "tables",
    "matplotlib-base": "matplotlib",
    "py-xgboost": "xgboost",
    "pysoundfile": "soundfile",
    "tensorflow-gpu": "tensorflow",
}
"""Names of conda packages that differ from those on PyPI."""
MAX_INCLUDES = 20


@dataclass(frozen=True)
class Listed:
    """A dependency, as a file lists it."""

    name: str
    """The normalised name of the distribution."""
    specifier: str
    source: Source
    extras: frozenset[str] = frozenset()
    url: str = ""


@dataclass
class DependencyFile:
    """A file that lists dependencies."""

    path: str
    kind: str
    """`requirements`, `pyproject`, `poetry`, `conda`, `setup` or `pipfile`."""
    sections: dict[str, list[Listed]] = field(default_factory=dict)
    """Dependencies by section: empty for those of the code, `extra:NAME` or `group:NAME` for others."""
    python: tuple[str, Source] | None = None
    """The Python versions that it allows, as a specifier."""
    scripts: dict[str, tuple[str, Source]] = field(default_factory=dict)
    """Console scripts, each with its entry point."""
    options: list[tuple[str, Source]] = field(default_factory=list)
    """Options of pip, such as --extra-index-url."""
    includes: list[str] = field(default_factory=list)
    """Files that a requirements file includes."""
    installs_itself: bool = False
    """Whether it lists the package beside it, as `-e .`."""

    @property
    def folder(self) -> str:
        """The folder of the file; empty for the root."""
        return self.path.rpartition("/")[0]

    def every(self) -> list[Listed]:
        """Return the dependencies of all sections."""
        return [each for section in self.sections.values() for each in section]

    def lists(self, *names: str) -> Listed | None:
        """Return the first of the distributions that any section lists."""
        return next((each for each in self.every() if each.name in names), None)


def dependency_files(repository: Repository) -> list[DependencyFile]:
    """Return all files of a repository that list dependencies."""
    found: list[DependencyFile] = []
    for path in repository.files:
        name = path.rpartition("/")[2]
        lower = name.lower()
        file: DependencyFile | None = None
        if name == "pyproject.toml":
            file = _pyproject(repository, path)
        elif lower in ("environment.yml", "environment.yaml", "conda.yml", "conda.yaml", "env.yml", "env.yaml"):
            file = _conda(repository, path)
        elif name == "setup.py":
            file = _setup_py(repository, path)
        elif name == "setup.cfg":
            file = _setup_cfg(repository, path)
        elif name == "Pipfile":
            file = _pipfile(repository, path)
        elif lower.endswith((".txt", ".in")) and (
            "requirements" in lower
            or lower.startswith("reqs")
            or path.split("/")[-2:-1] in (["requirements"], ["reqs"])
        ):
            file = _requirements(repository, path)
        if file is not None:
            found.append(file)
    return found


def parsed(text: str, source: Source) -> Listed | None:
    """Return a PEP 508 requirement; None for any other text."""
    try:
        wanted = Requirement(text.strip())
    except InvalidRequirement:
        return None
    return Listed(
        canonicalize_name(wanted.name), str(wanted.specifier), source, frozenset(wanted.extras), wanted.url or ""
    )


def _requirements(repository: Repository, path: str) -> DependencyFile | None:
    file = DependencyFile(path, "requirements", {"": []})
    folder = f"{file.folder}/" if file.folder else ""
    for number, line in repository.lines(path):
        text = re.sub(r"(^|\s)#.*", "", line).strip().rstrip("\\").strip()
        source = Source(path, number)
        if included := re.match(r"(?:-r|--requirement)[\s=]*(\S+)", text):
            file.includes.append(_joined(folder, included[1]))
        elif re.match(r"(-e|--editable)?[\s=]*(file:)?\.(\[.*\])?$", text):
            file.installs_itself = True
        elif text.startswith(("-e", "--editable")):
            if egg := re.search(r"#egg=([\w.-]+)", line):
                file.sections[""].append(Listed(canonicalize_name(egg[1]), "", source, url=text))
        elif text.startswith("-"):
            file.options.append((text, source))
        elif text:
            text = re.split(r"\s--hash", text)[0]
            if wanted := parsed(text, source):
                file.sections[""].append(wanted)
            elif match := re.match(r"git\+\S*?/([\w.-]+?)(\.git)?(@|#|$)", text):
                file.sections[""].append(Listed(canonicalize_name(match[1]), "", source, url=text))
    return file


def _joined(folder: str, name: str) -> str:
    parts: list[str] = []
    for part in f"{folder}{name}".split("/"):
        if part == "..":
            parts[-1:] = []
        elif part not in (".", ""):
            parts.append(part)
    return "/".join(parts)


def _pyproject(repository: Repository, path: str) -> DependencyFile | None:
    content = repository.toml(path)
    project, tool = table(content, "project"), table(content, "tool")
    poetry = table(tool, "poetry")
    groups = table(content, "dependency-groups")
    if not project and not poetry and not groups:
        return None
    file = DependencyFile(path, "poetry" if poetry and "dependencies" not in project else "pyproject")

    def listed(texts: Any) -> list[Listed]:
        found = [
            parsed(text, repository.where(path, re.escape(text)))
            for text in (texts if isinstance(texts, list) else [])
            if isinstance(text, str)
        ]
        return [each for each in found if each]

    if "name" in project or poetry:
        file.sections[""] = listed(project.get("dependencies"))
    for name, texts in table(project, "optional-dependencies").items():
        file.sections[f"extra:{name}"] = listed(texts)
    for name, texts in groups.items():
        file.sections[f"group:{name}"] = listed(texts)
    if isinstance(python := project.get("requires-python"), str):
        file.python = (python, repository.where(path, r"requires-python"))
    entries = dict(table(project, "scripts")) | dict(table(poetry, "scripts"))
    for name, entry in entries.items():
        if isinstance(entry, dict):
            entry = entry.get("callable") or entry.get("reference") or ""
        file.scripts[name] = (str(entry), repository.where(path, rf"^\s*[\"']?{re.escape(name)}[\"']?\s*="))
    if poetry:
        _poetry(repository, file, poetry)
    for name, texts in table(table(tool, "pdm"), "dev-dependencies").items():
        file.sections[f"group:{name}"] = listed(texts)
    if texts := table(tool, "uv").get("dev-dependencies"):
        file.sections["group:dev"] = listed(texts)
    for name, environment in table(table(tool, "hatch"), "envs").items():
        if isinstance(environment, dict) and (
            texts := environment.get("dependencies") or environment.get("extra-dependencies")
        ):
            file.sections[f"hatch:{name}"] = listed(texts)
    dynamic = table(table(tool, "setuptools"), "dynamic")
    for key, section in [
        ("dependencies", ""),
        *((f"optional-dependencies.{name}", f"extra:{name}") for name in table(dynamic, "optional-dependencies")),
    ]:
        place: Any = dynamic
        for part in key.split("."):
            place = table(place, part)
        names = place.get("file") if isinstance(place, dict) else None
        for name in [names] if isinstance(names, str) else names if isinstance(names, list) else []:
            joined = _joined(f"{file.folder}/", str(name))
            if repository.has(joined) and (other := _requirements(repository, joined)):
                file.sections.setdefault(section, []).extend(other.sections[""])
    return file


def _poetry(repository: Repository, file: DependencyFile, poetry: dict[str, Any]) -> None:
    groups = {"": table(poetry, "dependencies"), "group:dev": table(poetry, "dev-dependencies")}
    for name, group in table(poetry, "group").items():
        groups[f"group:{name}"] = table(group, "dependencies")
    for section, wanted in groups.items():
        for name, constraint in wanted.items():
            entry = constraint[0] if isinstance(constraint, list) and constraint else constraint
            version = entry.get("version", "") if isinstance(entry, dict) else entry
            source = repository.where(file.path, rf"^\s*[\"']?{re.escape(name)}[\"']?\s*=")
            specifier = pep440(str(version))
            if name == "python":
                file.python = (specifier, source)
                continue
            url = (
                str(entry.get("git") or entry.get("url") or entry.get("path") or "") if isinstance(entry, dict) else ""
            )
            listed = Listed(canonicalize_name(name), specifier, source, url=url)
            if isinstance(entry, dict) and entry.get("optional"):
                file.sections.setdefault("extra:optional", []).append(listed)
            else:
                file.sections.setdefault(section, []).append(listed)
    for name, members in table(poetry, "extras").items():
        wanted = {canonicalize_name(str(member)) for member in (members if isinstance(members, list) else [])}
        optional = file.sections.get("extra:optional", [])
        file.sections[f"extra:{name}"] = [each for each in optional if each.name in wanted]
    file.sections.pop("extra:optional", None)


def pep440(version: str) -> str:
    """Return a constraint of Poetry as a specifier of PEP 440; empty for any version or one that cannot be read."""
    parts: list[str] = []
    for part in re.split(r"\s*,\s*", version.split("||")[0].strip()):
        if match := re.fullmatch(r"([~^])\s*v?(\d+(?:\.\d+)*)\S*", part):
            numbers = [int(number) for number in match[2].split(".")]
            fixed = 2 if match[1] == "~" and len(numbers) > 1 else 1
            if match[1] == "^":
                fixed = next((place for place, number in enumerate(numbers, 1) if number), len(numbers))
            limit = ".".join(map(str, [*numbers[: fixed - 1], numbers[fixed - 1] + 1]))
            parts += [f">={match[2]}", f"<{limit}"]
        elif re.fullmatch(r"\d+(\.\d+)*(\.\*)?", part):
            parts.append(f"=={part}")
        elif part not in ("*", ""):
            parts.append(part.replace(" ", ""))
    return ",".join(parts)


def specifiers(text: str) -> SpecifierSet:
    """Return a set of specifiers; one that allows everything if the text is none."""
    try:
        return SpecifierSet(text)
    except ValueError:
        return SpecifierSet()


def _conda(repository: Repository, path: str) -> DependencyFile | None:
    content = repository.yaml(path)
    if not isinstance(content.get("dependencies"), list):
        return None
    file = DependencyFile(path, "conda", {"": []})
    for each in content["dependencies"]:
        if isinstance(each, dict):
            for text in items(each, "pip"):
                source = repository.where(path, re.escape(str(text)))
                if str(text).startswith("-"):
                    file.options.append((str(text), source))
                elif wanted := parsed(str(text), source):
                    file.sections[""].append(wanted)
            continue
        text = str(each).rpartition("::")[2]
        match = re.fullmatch(r"([\w.-]+)\s*(.*)", text)
        if not match:
            continue
        source = repository.where(path, rf"\b{re.escape(match[1])}\b")
        specifier = _conda_version(match[2])
        if match[1] == "python":
            file.python = (specifier, source)
        else:
            name = CONDA_NAMES.get(match[1].lower(), match[1])
            file.sections[""].append(Listed(canonicalize_name(name), specifier, source))
    return file


def _conda_version(text: str) -> str:
    text = text.strip()
    if match := re.match(r"={1,2}\s*([\w.*]+)", text):
        version = match[1]
        return f"=={version}" if version.endswith("*") or text.startswith("==") else f"=={version}.*"
    text = re.sub(r"\s+", "", text)
    return text if text.startswith(("<", ">", "!", "~")) else f"=={text}" if text else ""


def _setup_py(repository: Repository, path: str) -> DependencyFile | None:
    module = python_code.read(path, repository.text(path), whole=True)
    if module.setup is None:
        return None
    file = DependencyFile(path, "setup", {"": []})

    def resolved(node: ast.expr | None) -> ast.expr | None:
        return module.constants.get(python_code.dotted(node), node) if node is not None else None

    def listed(node: ast.expr | None) -> list[Listed]:
        texts = python_code.strings(resolved(node))
        found = [parsed(text, repository.where(path, re.escape(text))) for text in texts]
        return [each for each in found if each]

    file.sections[""] = listed(python_code.keyword(module.setup, "install_requires"))
    if not file.sections[""]:
        for name in re.findall(r"[\w./-]*requirements[\w./-]*\.(?:txt|in)", repository.text(path)):
            joined = _joined(f"{file.folder}/", name)
            if repository.has(joined) and (other := _requirements(repository, joined)):
                file.sections[""] += other.sections[""]
    extras = resolved(python_code.keyword(module.setup, "extras_require"))
    if isinstance(extras, ast.Dict):
        for key, value in zip(extras.keys, extras.values, strict=True):
            file.sections[f"extra:{python_code.literal(key)}"] = listed(value)
    if texts := listed(python_code.keyword(module.setup, "tests_require")):
        file.sections["setup:tests"] = texts
    if python := python_code.literal(resolved(python_code.keyword(module.setup, "python_requires"))):
        file.python = (python, repository.where(path, "python_requires"))
    entries = resolved(python_code.keyword(module.setup, "entry_points"))
    if isinstance(entries, ast.Dict):
        for key, value in zip(entries.keys, entries.values, strict=True):
            if python_code.literal(key) == "console_scripts":
                _entries(repository, file, python_code.strings(resolved(value)))
    return file


def _entries(repository: Repository, file: DependencyFile, texts: Iterable[str]) -> None:
    for text in texts:
        name, _, entry = text.partition("=")
        if entry:
            file.scripts[name.strip()] = (entry.strip(), repository.where(file.path, re.escape(text.strip())))


def _setup_cfg(repository: Repository, path: str) -> DependencyFile | None:
    parser = configparser.ConfigParser(interpolation=None, strict=False)
    try:
        parser.read_string(repository.text(path))
    except configparser.Error:
        return None
    if not parser.has_section("options"):
        return None
    file = DependencyFile(path, "setup", {"": []})

    def listed(text: str) -> Iterator[Listed]:
        for line in text.splitlines():
            if wanted := parsed(line, repository.where(path, re.escape(line.strip()))):
                yield wanted

    file.sections[""] = list(listed(parser.get("options", "install_requires", fallback="")))
    if parser.has_section("options.extras_require"):
        for name, text in parser.items("options.extras_require"):
            file.sections[f"extra:{name}"] = list(listed(text))
    if python := parser.get("options", "python_requires", fallback=""):
        file.python = (python, repository.where(path, "python_requires"))
    _entries(repository, file, parser.get("options.entry_points", "console_scripts", fallback="").splitlines())
    return file


def _pipfile(repository: Repository, path: str) -> DependencyFile:
    content = repository.toml(path)
    file = DependencyFile(path, "pipfile", {"": []})
    for section, name in (("", "packages"), ("group:dev", "dev-packages")):
        for package, constraint in table(content, name).items():
            version = constraint.get("version", "") if isinstance(constraint, dict) else constraint
            source = repository.where(path, rf"^\s*[\"']?{re.escape(package)}[\"']?\s*=")
            file.sections.setdefault(section, []).append(
                Listed(canonicalize_name(package), pep440(str(version)), source)
            )
    if python := table(content, "requires").get("python_version"):
        file.python = (f"=={python}.*", repository.where(path, "python_version"))
    return file


def items(content: Any, name: str) -> list[Any]:
    """Return a list inside a table; empty if it is missing or something else."""
    found = content.get(name) if isinstance(content, dict) else None
    return found if isinstance(found, list) else []


def table(content: Any, name: str) -> dict[str, Any]:
    """Return a table inside another; empty if it is missing or something else."""
    found = content.get(name) if isinstance(content, dict) else None
    return found if isinstance(found, dict) else {}
