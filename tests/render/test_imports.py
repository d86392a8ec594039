"""The modules of every project fit together: each import of one of its own modules resolves."""

from tests.trees import Tree
from tests.update.imports import unresolved


def test_every_import_of_a_projects_own_modules_resolves(trees: list[Tree]) -> None:
    for tree in trees:
        assert unresolved(tree.path) == [], tree.answers
