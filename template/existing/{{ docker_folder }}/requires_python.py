"""The Pythons that a package asks for, compared with the one that runs this."""

import configparser
import platform
import re
from collections.abc import Iterator
from pathlib import Path

# The image of Python has pip, and pip this library.
from pip._vendor.packaging.specifiers import InvalidSpecifier, SpecifierSet

# isort: split
import poetry
import source

PATCHES = (0, 99)
"""Versions of a Python that stand for all of it."""


def refusal(folder: Path) -> str:
    """Return one line that names a file of the folder whose Pythons exclude this one, and a Python that fits."""
    for file, constraint in stated(folder):
        specifiers = [each for each in map(_parsed, poetry.alternatives(constraint)) if each is not None]
        if specifiers and not _fits(platform.python_version(), specifiers):
            names = (f"3.{minor}" for minor in range(10, 30))
            fits = (name for name in names if any(_fits(f"{name}.{patch}", specifiers) for patch in PATCHES))
            fitting = next(fits, "")
            return (
                f"{folder / file} asks for Python {constraint}, and the image has {platform.python_version()}: "
                f"set the answer python_version{f' to {fitting}' if fitting else ''} "
                f"(python3 {source.HERE.name}/update.py --vcs-ref :current: --data python_version={fitting or '...'})"
            )
    return ""


def stated(folder: Path) -> Iterator[tuple[str, str]]:
    """Yield each file of a folder that states the Pythons of the package, with the constraint."""
    content = source.manifest(folder)
    yield "pyproject.toml", str(content.get("project", {}).get("requires-python", ""))
    yield "pyproject.toml", str(content.get("tool", {}).get("poetry", {}).get("dependencies", {}).get("python", ""))
    if (path := folder / "setup.cfg").is_file():
        settings = configparser.ConfigParser(interpolation=None, strict=False)
        try:
            settings.read_string(source.text(path))
        except configparser.Error:
            return
        yield path.name, settings.get("options", "python_requires", fallback="")
    if (path := folder / "setup.py").is_file():
        found = re.search(r"""\bpython_requires\s*=\s*["']([^"']*)""", source.text(path))
        yield path.name, found[1] if found else ""


def _parsed(specifier: str) -> SpecifierSet | None:
    """Return a specifier; None if there is none, or none that a standard defines."""
    try:
        return SpecifierSet(re.sub(r"([<>]=?\s*[\d.]+)\.\*", r"\1", specifier)) if specifier else None
    except InvalidSpecifier:
        return None


def _fits(version: str, specifiers: list[SpecifierSet]) -> bool:
    return any(each.contains(version, prereleases=True) for each in specifiers)
