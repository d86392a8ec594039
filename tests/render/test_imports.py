"""Each import of a project's own modules resolves, in every project."""

from tests.trees import Tree
from tests.update.imports import unresolved


def test_every_import_of_a_projects_own_modules_resolves(trees: list[Tree]) -> None:
    for tree in trees:
        assert unresolved(tree.path) == [], tree.answers
