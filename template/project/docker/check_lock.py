"""Check that the packages in a folder meet the dependencies of a manifest: `check_lock.py MANIFEST FOLDER`."""

import sys
import tomllib
from importlib.metadata import distributions
from pathlib import Path

from pip._vendor.packaging.requirements import Requirement
from pip._vendor.packaging.utils import canonicalize_name

manifest, folder = sys.argv[1:]
wanted = tomllib.loads(Path(manifest).read_text("utf-8"))["project"]["dependencies"]
installed = {canonicalize_name(each.name): each.version for each in distributions(path=[folder])}
for requirement in map(Requirement, wanted):
    if requirement.marker and not requirement.marker.evaluate():
        continue
    version = installed.get(canonicalize_name(requirement.name))
    if version is None or not requirement.specifier.contains(version, prereleases=True):
        found = f"has {requirement.name} {version}" if version else f"lacks {requirement.name}"
        sys.exit(
            f"pylock.toml is out of date: it {found}, but pyproject.toml requires {requirement}. "
            "Renew it with: docker build --target lock --output . ."
        )
