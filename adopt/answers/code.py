"""Answers install, code_paths and working_folder: which code images hold, and how Python finds it."""

import posixpath
import re
from collections.abc import Iterator

from adopt.answers.requirements import installs
from adopt.findings import GUESS, LIKELY, SURE, Finding, Source, Sureness
from adopt.requirements import table
from adopt.survey import Project, aside, is_test

DATA = re.compile(
    r"(?i).*\.(csv|tsv|json|jsonl|ya?ml|toml|txt|parquet|html|jinja2?|j2|css|js|sql|ini|cfg|conf|pkl|joblib|onnx|npy|npz|png|svg)"
)
SETTINGS = {"alembic.ini", "gunicorn.conf.py", "gunicorn_config.py", "logging.conf", "logging.yaml", "manage.py"}
"""Files at the root that programs read while they run."""


def find(project: Project, found: dict[str, Finding]) -> Iterator[Finding]:
    """Yield whether the code is installed, its paths and its folder."""
    install, source, sureness = packaged(project, found)
    yield Finding("install", "yes" if install else "no", sureness, source)
    if project.folder:
        yield Finding(
            "code_paths",
            [project.folder],
            SURE,
            found["requirements_file"].source if "requirements_file" in found else None,
        )
        yield Finding(
            "working_folder",
            project.folder,
            SURE,
            found["requirements_file"].source if "requirements_file" in found else None,
        )
        return
    wanted = {*package_paths(project), *beside(project)} if install else {*loose_paths(project)}
    paths = sorted(wanted, key=lambda path: ("." in path, path))
    sureness = SURE if install and len(paths) == len({*package_paths(project)}) else LIKELY
    first = Source(paths[0]) if paths else None
    yield Finding("code_paths", paths or ["."], sureness if paths else GUESS, first)
    base = "" if install else project.base
    yield Finding("working_folder", base, SURE if install or base else LIKELY, first)


def packaged(project: Project, found: dict[str, Finding]) -> tuple[bool, Source | None, Sureness]:
    """Return whether the code is a package to install, and the file that says so."""
    manifest = next(
        (
            file
            for file in project.dependency_files
            if file.kind in ("pyproject", "poetry")
            and file.path == project.at("pyproject.toml")
            and "" in file.sections
        ),
        None,
    )
    setup = next((file for file in project.dependency_files if file.kind == "setup"), None)
    if manifest is None and setup is None:
        return False, found["requirements_file"].source if "requirements_file" in found else None, SURE
    path = manifest.path if manifest else setup.path if setup else ""
    source = project.repository.where(path, r"build-backend|\[project\]|\[tool\.poetry\]|setup\(|\[options\]")
    if not buildable(project, path):
        return False, source, LIKELY
    own = next((file for file in (manifest, setup) if file and file.scripts), None)
    if own:
        return True, next(iter(own.scripts.values()))[1], SURE
    if project.src:
        return True, source, SURE
    if installed := next((file for file in project.dependency_files if file.installs_itself), None):
        return True, Source(installed.path), SURE
    for text, place in installs(project):
        if re.search(r"\b(?:pip|uv pip) install\s+(?:-\S+\s+)*(?:-e\s+)?\.(\s|\[|$)", text):
            return True, place, SURE
    for line in project.lines:
        if (
            line.program in ("pip", "uv", "pip3")
            and "install" in line.words
            and re.search(r"\s\.(\[[\w,-]+\])?(\s|$)", " ".join(line.words))
        ):
            return True, line.source, LIKELY if loose_scripts(project) else SURE
    # A flat package beside scripts works either way; copied, the scripts are in the image as well.
    if loose_scripts(project):
        return False, source, LIKELY
    return True, source, LIKELY


def buildable(project: Project, path: str) -> bool:
    """Return whether the build of a package would find its code."""
    content = project.repository.toml(path) if path.endswith("pyproject.toml") else {}
    tool = table(content, "tool")
    backend = str(table(content, "build-system").get("build-backend", ""))
    if path.endswith(("setup.py", "setup.cfg")):
        return True
    if table(tool, "uv").get("package") is False or table(tool, "poetry").get("package-mode") is False:
        return False
    if table(tool, "pdm").get("distribution") is False:
        return False
    if project.src:
        return True
    has_setup = project.repository.has(project.at("setup.py")) or project.repository.has(project.at("setup.cfg"))
    if not backend and not has_setup and "poetry" not in tool:
        return table(tool, "uv").get("package") is True
    name = re.sub(
        r"[-.]+", "_", str(table(content, "project").get("name") or table(tool, "poetry").get("name") or "")
    ).lower()
    packages = [each.lower() for each in project.packages(project.folder)]
    if backend.startswith("setuptools") or not backend:
        configured = table(tool, "setuptools")
        if has_setup or configured.get("packages") is not None or configured.get("py-modules") is not None:
            return True
        tops = [each for each in packages if project.repository.has(project.at(f"{each}/__init__.py"))]
        folders = (
            {path.split("/")[0] for path in project.files if "/" in project.inside(path)}
            if not project.folder
            else set(tops)
        )
        others = {each for each in folders if not each.startswith((".", "_")) and each not in _LEFT_OUT}
        return len(others) == 1 and len(tops) == 1
    settings = [table(table(tool, "hatch"), "build"), table(tool, "poetry").get("packages"), table(tool, "flit")]
    settings += [table(tool, "pdm").get("build"), table(tool, "uv").get("build-backend"), tool.get("maturin")]
    explicit = str(settings)[:10_000]
    if re.search(r"packages|include|module|only-include", explicit):
        return True
    return name in packages or project.repository.has(project.at(f"{name}.py"))


_LEFT_OUT = {
    "docs",
    "doc",
    "tests",
    "test",
    "docker",
    "examples",
    "example",
    "scripts",
    "tools",
    "bin",
    "build",
    "dist",
    "benchmarks",
    "benchmark",
    "tasks",
    "fabfile",
    "conf",
    "htmlcov",
    "node_modules",
    "notebooks",
    "requirements",
}
"""Folders that the automatic discovery of setuptools leaves out, for the most part."""


def loose_scripts(project: Project) -> list[str]:
    """Return the scripts at the root, and in folders that are no package, that are to be run."""
    found = []
    for path, module in project.code.items():
        folder = posixpath.dirname(path)
        in_package = (folder and project.repository.has(f"{folder}/__init__.py")) or (
            project.src and path.startswith(f"{project.at('src')}/")
        )
        if module.guard and not in_package and posixpath.basename(path) != "manage.py":
            found.append(path)
    return found


def package_paths(project: Project) -> Iterator[str]:
    """Yield the folders that hold the code of the package."""
    if project.src:
        yield project.at("src")
        return
    packages = [
        name for name in project.packages(project.folder) if project.repository.has(project.at(f"{name}/__init__.py"))
    ]
    yield from (project.at(name) for name in packages if name not in _LEFT_OUT)
    if not packages:
        yield from (path for path in project.code if "/" not in project.inside(path))


def loose_paths(project: Project) -> Iterator[str]:
    """Yield the modules, folders of code, and the data and settings that the code reads."""
    for path in project.code:
        inside = project.inside(path)
        yield project.at(inside.split("/")[0])
    yield from beside(project)
    yield from read_folders(project)
    named = {use.path for module in project.code.values() for use in module.paths if use.way != "write"}
    yield from (name for name in named if "/" not in name and DATA.fullmatch(name) and project.repository.has(name))


def beside(project: Project) -> Iterator[str]:
    """Yield what programs need beside a package: scripts, settings, migrations."""
    yield from (path.split("/")[0] for path in loose_scripts(project))
    for name in SETTINGS:
        if project.repository.has(project.at(name)):
            yield project.at(name)
    if project.repository.has("alembic.ini"):
        script = re.search(
            r"(?m)^script_location\s*=\s*(?:%\(here\)s/)?([\w./-]+)", project.repository.text("alembic.ini")
        )
        if script and script[1].split("/")[0] in project.repository.folders:
            yield script[1].split("/")[0]


def read_folders(project: Project) -> Iterator[str]:
    """Yield the folders with files of the repository that the code, its configuration or its commands name."""
    tops = {path.split("/")[0] for path in project.files if "/" in path and DATA.fullmatch(path)}
    tops -= {path.split("/")[0] for path in project.code if "/" in path}
    for top in sorted(tops):
        if top.startswith(".") or aside(top) or top in ("build", "dist", "htmlcov", "requirements", "node_modules"):
            continue
        if mentioned(project, top):
            yield top


def mentioned(project: Project, top: str) -> Source | None:
    """Return the first place where code, configuration or a command names a folder; None if nothing does."""
    for path, module in project.code.items():
        for use in module.paths:
            if use.path.split("/")[0] == top and use.way != "write":
                return Source(path, use.line)
    for line in project.lines:
        if any(word.removeprefix("./").split("/")[0] == top and "/" in word for word in line.words[1:]):
            return line.source
    word = re.compile(rf"(?<![\w./-]){re.escape(top)}/[\w.]")
    for path in project.files:
        if (
            re.fullmatch(r".*\.(ya?ml|toml|json|ini|cfg)", path)
            and not is_test(path)
            and not path.startswith(".")
            and posixpath.basename(path) not in ("pyproject.toml", "package.json")
            and "compose" not in path
            and not path.startswith(f"{top}/")
        ):
            for number, line in project.repository.lines(path):
                if word.search(line):
                    return Source(path, number)
    return None
