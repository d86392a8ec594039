"""Poetry's groups and version constraints in the terms of the standards (PEP 440 and 508)."""

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import source


def group(folder: Path, name: str) -> list[str] | None:
    """Return the requirements in a group of Poetry; None if pyproject.toml has no such group."""
    settings = source.manifest(folder).get("tool", {}).get("poetry", {})
    groups = settings.get("group", {})
    if name == "dev" and "dev-dependencies" in settings:  # of Poetry before 1.2
        groups = {"dev": {"dependencies": settings["dev-dependencies"]}} | groups
    if name not in groups:
        return None
    return [f"{package}{_version(wanted)}" for package, wanted in groups[name].get("dependencies", {}).items()]


def _version(wanted: str | dict[str, Any]) -> str:
    return specifier(wanted.get("version", "*") if isinstance(wanted, dict) else wanted)


def specifier(constraint: str) -> str:
    """Return a version constraint, without alternatives, as a specifier."""
    return ",".join(filter(None, map(_spelt_out, re.split(r"\s*,\s*|\s+(?=[<>=!~^])", constraint.strip()))))


def alternatives(constraint: str) -> Iterator[str]:
    """Yield a specifier for each alternative of a version constraint, such as `^3.10 || ^4.0`."""
    yield from map(specifier, re.split(r"\|\|?", constraint))


def _spelt_out(constraint: str) -> str:
    if constraint == "*" or not (found := re.fullmatch(r"([~^])?\s*v?(\d+(?:\.\d+)*)(\.\*)?", constraint)):
        return "" if constraint == "*" else constraint
    if not found[1]:
        return f"=={found[2]}{found[3] or ''}"
    numbers = [int(number) for number in found[2].split(".")]
    fixed = 2 if found[1] == "~" and len(numbers) > 1 else 1
    if found[1] == "^":  # the first nonzero number must not change
        fixed = next((place for place, number in enumerate(numbers, 1) if number), len(numbers))
    limit = ".".join(map(str, [*numbers[: fixed - 1], numbers[fixed - 1] + 1]))
    return f">={found[2]},<{limit}"
