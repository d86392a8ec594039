"""Pages of projects follow the rules for prose of this repository."""

from pathlib import Path

from tests.prose import markdown_files, problems
from tests.trees import Tree


def test_pages_of_projects_are_in_plain_english(all_trees: list[Tree]) -> None:
    pages: dict[bytes, Path] = {}
    for tree in all_trees:
        if tree.answers.get("project_name", "My Project") != "My Project":
            continue  # its titles have a name that is longer than a heading may be
        found = markdown_files(tree.path)
        assert found, tree.path
        for page in found:
            pages.setdefault(page.read_bytes(), page)
    assert problems(pages.values()) == []
