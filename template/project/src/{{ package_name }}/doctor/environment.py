"""Python, settings and packages."""

import platform
import re
import sys
from importlib import metadata

from pydantic import ValidationError

from .. import DISTRIBUTION, __version__
from . import Context, Finding


def project(context: Context) -> Finding:
    """Report the version of the project, Python and the system."""
    system = f"{sys.platform} {platform.machine()}"
    return Finding("project", "ok", f"{__version__} on Python {platform.python_version()}, {system}")


def settings(context: Context) -> Finding:
    """Check that every setting is valid."""
    try:
        context.load_settings()
    except ValidationError as error:
        wrong = "; ".join(f"{'.'.join(map(str, each['loc']))}: {each['msg']}" for each in error.errors())
        return Finding("settings", "fail", wrong, "change the environment variable, or the line in .env")
    return Finding("settings", "ok", "all valid")


def packages(context: Context) -> Finding:
    """Check that the installed packages satisfy the project's requirements."""
    required = metadata.requires(DISTRIBUTION) or []
    wrong = [problem for line in required if (problem := _problem(line))]
    if wrong:
        fix = "install the locked versions: make install, or rebuild the image"
        return Finding("packages", "fail", "; ".join(wrong), fix)
    return Finding("packages", "ok", f"{len(required)} requirements are satisfied")


def _problem(requirement: str) -> str:
    """Return why a requirement is not satisfied; empty if it is, or does not apply to this machine."""
    try:
        from packaging.requirements import Requirement
    except ImportError:  # not a dependency; without it, versions are not compared
        if ";" in requirement:
            return ""
        name = re.split(r"[^\w.-]", requirement)[0]
        return "" if _installed(name) else f"{name} is missing"
    parsed = Requirement(requirement)
    if parsed.marker and not parsed.marker.evaluate({"extra": ""}):
        return ""
    installed = _installed(parsed.name)
    if installed is None:
        return f"{parsed.name} is missing"
    if not parsed.specifier.contains(installed, prereleases=True):
        return f"{parsed.name} {installed} is not {parsed.specifier}"
    return ""


def _installed(name: str) -> str | None:
    try:
        return metadata.version(name)
    except metadata.PackageNotFoundError:
        return None


CHECKS = [project, settings, packages]
