"""Write the project of a preset from the working tree, and show what changed since the last release.

`python3 run.py preview PRESET` shows a summary and the difference, in Git's pager at a terminal.
"""

import argparse
import re
import sys
import tempfile
from pathlib import Path

from tests.answers import CHOICES
from tests.program import run
from tests.releases import NEWEST, clone, copier, git, releases

NAME = "My Project"
VERSION = ("_commit", "# Checksum")
"""How the lines of an answers file begin that change with the version of the template alone."""


def last_release() -> str:
    """Return the newest release that projects can be made from, or nothing before the first."""
    return next(reversed(releases()), "")


def has_preset(template: Path, version: str, preset: str) -> bool:
    """Return whether a version of the template has the preset."""
    table = git(template, "show", f"{version}:extensions/presets.yml")
    return re.search(rf"^{preset}:", table, re.MULTILINE) is not None


def make(template: Path, version: str, preset: str, folder: Path) -> None:
    """Write the project as a version of the template makes it, with the default of every other answer."""
    answers = [f"--data=preset={preset}", f"--data=project_name={NAME}"]
    done = copier("copy", "--defaults", "--quiet", "--vcs-ref", version, *answers, template, folder)
    if done.returncode != 0:
        sys.exit(f"preview: {version} makes no project of preset {preset}: {done.stderr.strip()}")


def show_difference(before: Path, after: Path, repository: Path, *, patch: bool) -> None:
    """Print a summary of the difference between two folders, and with `patch` the difference itself."""
    git(repository.parent, "init", "--quiet", "--bare", repository)
    trees = []
    for folder in (before, after):
        stored = f"--git-dir={repository}", f"--work-tree={folder}"
        git(folder, *stored, "add", "--all", "--force")
        trees.append(git(folder, *stored, "write-tree").strip())
    options = ["--stat", *(["--patch"] if patch else []), *(f"--ignore-matching-lines=^{start}: " for start in VERSION)]
    sys.stdout.flush()
    run(["git", f"--git-dir={repository}", "diff", *options, *trees], capture_output=False)


def main() -> None:
    """Write the project, say where it is, and compare it with the last release's."""
    presets = list(CHOICES["preset"].values())
    parser = argparse.ArgumentParser(prog="preview", description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("preset", help=", ".join(presets))
    parser.add_argument("--to", type=Path, metavar="DIR", help="write to this new folder, not to a temporary one")
    parser.add_argument("--stat", action="store_true", help="show the summary only")
    given = parser.parse_args()
    if given.preset not in presets:
        sys.exit(f"preview: {given.preset} is not a preset; use {', '.join(presets[:-1])} or {presets[-1]}")
    if given.to and given.to.exists() and (not given.to.is_dir() or any(given.to.iterdir())):
        sys.exit(f"preview: {given.to} is not an empty folder; give a new one")
    target = (given.to or Path(tempfile.mkdtemp(prefix=f"slipway-{given.preset}-"))).resolve()
    with tempfile.TemporaryDirectory() as folder:
        template = clone(Path(folder, "template"))
        make(template, NEWEST, given.preset, target)
        print(f"The project of preset {given.preset} is in {target}")
        release = last_release()
        if not release:
            print("There is no release yet to compare it with.")
            return
        if not has_preset(template, release, given.preset):
            print(f"{release} does not have this preset.")
            return
        before = Path(folder, "before")
        make(template, release, given.preset, before)
        print(f"Changes since {release}:")
        show_difference(before, target, Path(folder, "difference.git"), patch=not given.stat)


if __name__ == "__main__":
    main()
