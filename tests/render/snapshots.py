"""Write the file list of every preset: `python -m tests.render.snapshots`."""

import tempfile
from pathlib import Path

from tests.answers import CHOICES, ROOT
from tests.releases import clone
from tests.trees import Tree, rendered

FOLDER = ROOT / "tests/render/snapshots"


def presets(template: Path, folder: Path) -> list[Tree]:
    """Return the default project of each preset, rendered into a folder."""
    return rendered([{"preset": preset} for preset in CHOICES["preset"].values()], template, folder)


def file_list(tree: Tree) -> str:
    """Return the files of a project, one a line."""
    return "".join(f"{path.relative_to(tree.path)}\n" for path in tree.files())


def main() -> None:
    """Write the snapshots."""
    with tempfile.TemporaryDirectory() as folder:
        trees = Path(folder) / "trees"
        trees.mkdir()
        FOLDER.mkdir(exist_ok=True)
        for tree in presets(clone(Path(folder) / "template"), trees):
            (FOLDER / f"{tree.answers['preset']}.txt").write_text(file_list(tree), "utf-8")


if __name__ == "__main__":
    main()
