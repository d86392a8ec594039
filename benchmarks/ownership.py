"""How much of a project its updates can change: `python -m benchmarks.ownership` prints a table of every preset.

Counts lines of src and tests. `yours` are the files that updates leave alone, without examples of commands.
"""

import sys
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.answers import CHOICES, NO_PROJECT, TASKS
from tests.releases import clone
from tests.trees import Tree, rendered
from tests.update.ownership import is_owners

MIN_SHARE = 0.9
MIN_SHARE_OF_CUSTOM = 0.88
"""Of a custom model the whole example is the owner's, in a project that may be half as large."""
MAX_FILES = 12
MAX_LINES_OF_DEFAULT = 300


def projects() -> Iterator[dict[str, Any]]:
    """Yield the answers of each preset for each task."""
    for preset in CHOICES["preset"].values():
        if preset not in (*NO_PROJECT, "custom"):
            yield from ({"preset": preset, "hf_task": task} for task in TASKS)


@dataclass(frozen=True)
class Ownership:
    """Lines of a project's src and tests, and the owner's files among them."""

    answers: dict[str, Any]
    lines: int
    lines_of_owner: int
    files_of_owner: list[str]

    @property
    def share(self) -> float:
        """Share of the lines that updates can change."""
        return 1 - self.lines_of_owner / self.lines

    def __str__(self) -> str:
        preset, task = self.answers["preset"], self.answers["hf_task"]
        return (
            f"{preset:10} {task:22} {self.lines:6} {self.share:8.1%} "
            f"{len(self.files_of_owner):6} {self.lines_of_owner:6}"
        )


def measure(tree: Tree) -> Ownership:
    """Count the lines of a project."""
    lines = {
        str(path.relative_to(tree.path)): len(path.read_text("utf-8").splitlines())
        for path in tree.files()
        if path.relative_to(tree.path).parts[0] in ("src", "tests")
    }
    own = [name for name in lines if is_owners(name)]
    without_commands = [name for name in own if "/commands/" not in name]
    return Ownership(tree.answers, sum(lines.values()), sum(lines[name] for name in own), without_commands)


def table(found: list[Ownership]) -> str:
    """Return the table that is printed."""
    title = f"{'preset':10} {'task':22} {'lines':>6} {'updated':>8} {'yours':>6} {'lines':>6}"
    return "\n".join([title, *map(str, found)])


def main() -> None:
    """Render every project and print the table."""
    with tempfile.TemporaryDirectory() as folder:
        template = clone(Path(folder) / "template")
        print(table([measure(tree) for tree in rendered(projects(), template, Path(folder) / "trees")]))


if __name__ == "__main__":
    sys.exit(main())
