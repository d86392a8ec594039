"""Answer test_command, empty for a repository without tests."""

import posixpath
import re
from collections.abc import Iterable, Iterator

from adopt.findings import LIKELY, SURE, Finding, Source
from adopt.survey import Project


def find(project: Project, found: dict[str, Finding]) -> Iterator[Finding]:
    """Yield the command that runs the tests."""
    tests = {
        path: module
        for path, module in project.tests.items()
        if not path.endswith(("__init__.py", "conftest.py"))
        and re.search(r"(?m)^\s*(async )?def test|\(.*TestCase\)|^\s*>>>", project.repository.text(path))
    }
    if not tests:
        yield Finding("test_command", "", SURE if not project.tests else LIKELY)
        return
    first = min(tests)
    working = str(found["working_folder"].value)
    place = _elsewhere(tests, working)
    pytest = f"pytest {place}" if place else "pytest"
    listed = project.listed("pytest", "pytest-django", "pytest-cov", "pytest-asyncio")
    settings = configured(project)
    imports = next(
        (
            Source(path, each.line)
            for path, module in project.modules.items()
            for each in module.imports
            if each.name.split(".")[0] == "pytest"
        ),
        None,
    )
    said = next(
        (
            line
            for line in project.lines
            if line.program in ("pytest", "py.test", "unittest")
            or (line.script.endswith("manage.py") and "test" in line.words)
        ),
        None,
    )
    django = "manage.py" in {posixpath.basename(path) for path in project.code} and not project.listed(
        "pytest-django", "pytest"
    )
    if django and not (said and said.program == "pytest"):
        yield Finding("test_command", "python manage.py test", SURE, said.source if said else Source(first))
    elif listed or settings or imports or (said and said.program in ("pytest", "py.test")):
        source = (
            settings
            or (said.source if said and said.program != "unittest" else None)
            or (listed.source if listed else imports)
        )
        yield Finding("test_command", pytest, SURE, source)
    elif said and said.program == "unittest":
        yield Finding(
            "test_command", " ".join(word for word in said.words if word not in ("-v", "-q")), SURE, said.source
        )
    elif any("TestCase" in project.repository.text(path) for path in tests):
        folder = place or posixpath.dirname(project.inside(first)).split("/")[0]
        command = (
            f"python -m unittest discover {folder}"
            if place or (folder and not project.repository.has(project.at(f"{folder}/__init__.py")))
            else "python -m unittest"
        )
        yield Finding("test_command", command, LIKELY, Source(first))
    else:
        yield Finding("test_command", pytest, LIKELY, Source(first))


def _elsewhere(tests: Iterable[str], working: str) -> str:
    """Return the folder of the tests, from the working folder, if none is below it; otherwise nothing."""
    if not working or any(path.startswith(f"{working}/") for path in tests):
        return ""
    return posixpath.relpath(posixpath.commonpath([posixpath.dirname(path) for path in tests]) or ".", working)


def configured(project: Project) -> Source | None:
    """Return the place of pytest's settings; None without any."""
    for name, pattern in (
        ("pytest.ini", r"\[pytest\]"),
        ("pyproject.toml", r"\[tool\.pytest"),
        ("setup.cfg", r"\[tool:pytest\]"),
        ("tox.ini", r"\[pytest\]|^\s*pytest|commands\s*=\s*pytest"),
    ):
        path = project.at(name)
        if project.repository.has(path) and (source := project.repository.where(path, pattern)).line:
            return source
    return None
