"""Publish releases on GitHub: `python -m tests.publish` tags those of tests/releases.yml that are not published yet.

Uses GitHub's program `gh`, which needs GH_TOKEN. The text of a release is its entry in CHANGELOG.md.
"""

import re
import sys
from pathlib import Path

import yaml

from tests.program import run

ROOT = Path(__file__).resolve().parent.parent


def listed() -> dict[str, str]:
    """Return every release and its commit, the oldest first; an update of a refused one needs its tag, too."""
    table: dict[str, dict[str, str]] = yaml.safe_load((ROOT / "tests/releases.yml").read_text())
    return table["refused"] | table["releases"]


def entry(changelog: str, version: str) -> str:
    """Return the text of a version in the changelog. Raises LookupError if there is none."""
    found = re.search(rf"^## {re.escape(version)}\n(.*?)(?=^## |\Z)", changelog, re.MULTILINE | re.DOTALL)
    if found is None or not found[1].strip():
        raise LookupError(f"CHANGELOG.md has no entry {version}: add a heading `## {version}` with its changes")
    return found[1].strip() + "\n"


def publish(version: str, commit: str, changelog: str) -> None:
    """Create the tag and the release, unless they exist. Raises RuntimeError if GitHub refuses."""
    if run(["gh", "release", "view", version]).returncode == 0:
        return
    notes = entry(changelog, version)
    command = ["gh", "release", "create", version, f"--target={commit}", f"--title={version}", "--notes-file=-"]
    done = run(command, input=notes)
    if done.returncode != 0:
        raise RuntimeError(f"{version} was not published: {done.stderr.strip()}")
    print(f"published {version}")


def main() -> None:
    """Publish every release in order."""
    changelog = (ROOT / "CHANGELOG.md").read_text()
    try:
        for version, commit in listed().items():
            publish(version, commit, changelog)
    except (LookupError, RuntimeError) as error:
        sys.exit(f"tests.publish: {error}")


if __name__ == "__main__":
    main()
