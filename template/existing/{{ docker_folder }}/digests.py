"""Digests of what dependencies follow from: an edit of anything else in a file leaves the locks up to date."""

import configparser
import hashlib
import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

from source import normalized, pdm_groups, text, tomllib

STATED = ("name", "requires-python", "dependencies", "optional-dependencies", "dynamic")
"""Keys of `project` in pyproject.toml that say what to install."""

ALWAYS_READ = ("poetry", "uv")
"""Tools whose settings name dependencies and indexes, whatever builds the package."""

DESCRIPTION = ("version", "description", "authors", "maintainers", "keywords", "classifiers", "scripts", "packages")
"""Keys of Poetry that say nothing about dependencies."""


def is_same(path: Path, noted: str) -> bool:
    """Return whether a file still says what it did when its digest was noted, or that of the whole file was."""
    return path.is_file() and noted in (digest(path), _hashed(text(path).splitlines()))


def digest(path: Path) -> str:
    """Return a digest of what the dependencies follow from in a file, independent of encoding and line endings."""
    read = next((read for end, read in READERS.items() if path.name.endswith(end)), str.splitlines)
    try:
        return _hashed(read(text(path)))
    except (tomllib.TOMLDecodeError, configparser.Error):
        return _hashed(text(path).splitlines())


def _hashed(content: Any) -> str:
    lines = content if isinstance(content, list) else [json.dumps(content, sort_keys=True, default=str)]
    return hashlib.sha256("\n".join(lines).encode()).hexdigest()[:16]


def _pyproject(content: str) -> dict[str, Any]:
    """Return the parts of a pyproject.toml that dependencies follow from.

    If the build of the package computes them, these include the settings of the tools that build it.
    """
    parts = tomllib.loads(content)
    project, tools = parts.get("project", {}), parts.get("tool", {})
    poetry = {key: value for key, value in tools.get("poetry", {}).items() if key not in DESCRIPTION}
    found: dict[str, Any] = {
        "project": {key: project[key] for key in STATED if key in project},
        "groups": parts.get("dependency-groups", {}),
        "tools": {name: tools[name] for name in ALWAYS_READ if name in tools} | ({"poetry": poetry} if poetry else {}),
    }
    if groups := pdm_groups(parts):
        found["pdm"] = groups
    if "project" not in parts or {"dependencies", "optional-dependencies"} & {*project.get("dynamic", [])}:
        build = parts.get("build-system", {})
        if "backend-path" in build:
            return parts
        needed = [normalized(each) for each in build.get("requires", ["setuptools"])]
        found["build"] = build
        found["tools"] |= {
            name: settings
            for name, settings in tools.items()
            if name not in ALWAYS_READ and any(each.startswith(normalized(name)) for each in needed)
        }
    return found


def _setup_cfg(content: str) -> dict[str, Any]:
    """Return the sections of a setup.cfg that name dependencies."""
    settings = configparser.ConfigParser(interpolation=None, strict=False)
    settings.read_string(content)
    return {name: dict(settings[name]) for name in settings.sections() if name.startswith(("options", "extras"))}


def _requirements(content: str) -> list[str]:
    """Return the lines of a list of requirements, or of a conda environment, without comments and blank lines."""
    lines = (re.sub(r"(^|\s)#.*", "", line).rstrip() for line in content.splitlines())
    return [line for line in lines if line]


READERS: dict[str, Callable[[str], Any]] = {
    "pyproject.toml": _pyproject,
    "setup.cfg": _setup_cfg,
    ".txt": _requirements,
    ".in": _requirements,
    ".yml": _requirements,
    ".yaml": _requirements,
}
"""End of a file's name -> what dependencies follow from in its text; in other files, every line."""
