"""Python and what is installed beside it."""

import platform
import sys
from importlib import metadata

from . import Finding


def python(thorough: bool) -> Finding:
    """What runs, and on what."""
    packages = len({each.name for each in metadata.distributions()})
    found = f"{platform.python_version()} on {sys.platform} {platform.machine()}, {packages} packages"
    return Finding("Python", "ok", found)


CHECKS = [python]
