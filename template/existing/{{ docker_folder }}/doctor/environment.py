"""Python and the installed packages."""

import platform
import sys
from importlib import metadata

from . import Finding


def python(thorough: bool) -> Finding:
    """Report the Python version, the platform and the number of installed packages."""
    packages = len({each.name for each in metadata.distributions()})
    found = f"{platform.python_version()} on {sys.platform} {platform.machine()}, {packages} packages"
    return Finding("Python", "ok", found)


CHECKS = [python]
