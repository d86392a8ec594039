"""Every project has the settings that the reference says, and nothing that people read names another one."""

import re
from pathlib import Path

import pytest
import yaml

from tests.settings import Condition, Documented, Setting, documented, facts, holds, settings
from tests.trees import Tree


@pytest.fixture(scope="module")
def reference() -> list[Documented]:
    """Return every setting, as docs/reference/settings.md lists it."""
    return documented()


def declared(tree: Tree) -> dict[str, Setting]:
    return settings((source(tree) / "base_settings.py").read_text())


def source(tree: Tree) -> Path:
    return next((tree.path / "src").iterdir())


def test_a_project_has_the_settings_that_the_reference_lists_for_its_answers(
    trees: list[Tree], reference: list[Documented]
) -> None:
    for tree in trees:
        answers = yaml.safe_load((tree.path / ".copier-answers.yml").read_text())
        known = facts(answers)

        def stated(variants: list[tuple[str, Condition]]) -> str:
            [text] = [text for text, where in variants if holds(where, known)]  # noqa: B023
            return str(answers.get(text.strip("<>"), "main")) if text.startswith("<") else text  # noqa: B023

        expected = {
            each.name: [stated(variants) for variants in (each.types, each.defaults, each.texts)]
            for each in reference
            if holds(each.condition, known)
        }
        assert {name: list(setting[1:]) for name, setting in declared(tree).items()} == expected, tree.answers


def test_no_file_names_a_setting_that_the_project_lacks(trees: list[Tree]) -> None:
    for tree in trees:
        variables = {setting.variable for setting in declared(tree).values()}
        prefix = f"{source(tree).name.upper()}_"
        variables.add(f"{prefix}WEIGHTS_FOLDERS")  # of images, for hosting.py: it gives other settings
        for path in tree.files():
            named = re.findall(rf"\b{prefix}[A-Z][A-Z_]*\b", path.read_text("utf-8"))
            assert {name.removesuffix("_FILE") for name in named} <= variables, path


def test_defaults_in_tables_are_those_of_the_code(trees: list[Tree]) -> None:
    checked = 0
    for tree in trees:
        defaults = {setting.variable: setting.default for setting in declared(tree).values()}
        for page in (tree.path / "docs").glob("*.md"):
            rows = re.findall(r"^\| `([A-Z_]+)` \|.*\bdefault `?([^`\s|.,;]+)", page.read_text(), re.MULTILINE)
            assert [row for row in rows if defaults[row[0]] != row[1]] == [], page
            checked += len(rows)
    assert checked


def test_something_reads_each_variable_of_env_example(trees: list[Tree]) -> None:
    for tree in trees:
        variables = {setting.variable for setting in declared(tree).values()}
        readers = [path for path in tree.files() if path.suffix != ".md" and path.name != ".env.example"]
        text = "".join(path.read_text("utf-8") for path in readers)
        for name in re.findall(r"^# ([A-Z0-9_]+)=", (tree.path / ".env.example").read_text(), re.MULTILINE):
            assert name in variables or re.search(rf"\b{name}\b", text), f"{tree.path}: nothing reads {name}"
