"""The table of files that belong to the owner agrees with everything that repeats it."""

import importlib.util
import re
import sys
from types import ModuleType

import pytest
import yaml
from jinja2 import Environment, FileSystemLoader, StrictUndefined

from tests.answers import ROOT
from tests.trees import Tree
from tests.update.imports import Modules

TABLE = "extensions/ownership.yml.jinja"
MESSAGE = "extensions/messages/deleted.jinja"


def render(name: str, **answers: object) -> str:
    """Return a file of the template, rendered with some answers."""
    environment = Environment(loader=FileSystemLoader(ROOT), undefined=StrictUndefined)
    environment.filters["from_yaml"] = yaml.safe_load
    return environment.get_template(name).render(**answers)


def owned(**answers: object) -> set[str]:
    """Return the patterns of the table's files that are the owner's."""
    return {row["file"] for row in yaml.safe_load(render(TABLE, **answers)) if row.get("yours")}


def test_updates_skip_exactly_the_owners_files() -> None:
    table = {re.sub("/$", "/**", name) for name in owned()}
    copier = next(yaml.safe_load_all(re.sub("!include", "", (ROOT / "copier.yml").read_text())))
    assert {pattern.removeprefix("/") for pattern in copier["_skip_if_exists"]} == table


@pytest.fixture(scope="module")
def program() -> ModuleType:
    """Return the program that updates projects."""
    spec = importlib.util.spec_from_file_location("slipway_update", ROOT / "extensions/update.py")
    assert spec and spec.loader
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module  # dataclasses look it up there
    spec.loader.exec_module(module)
    return module


def test_the_update_program_knows_the_owners_files(program: ModuleType) -> None:
    assert set(program.YOURS) == {re.sub("/$", "/*", name) for name in owned()}


def test_a_pattern_of_the_update_program_stays_in_its_folder(program: ModuleType) -> None:
    yours = ["src/App.tsx", "src/shop/commands/a/b.py", "public/a/b.svg", "src/shop/routes.py", "package.json"]
    ours = ["src/shop/server/demo/style.css", "src/shop/server/routes.py", "docker/package.json", "commands/a.py"]
    assert [name for name in [*yours, *ours] if program.is_yours(name)] == yours


def test_files_that_stay_deleted_are_imported_by_no_other(trees: list[Tree], program: ModuleType) -> None:
    left_out = set()
    for tree in trees:
        modules = Modules(tree.path)
        assert modules.unresolved() == []
        for name, module in list(modules.found.items()):
            path = str(module.path.relative_to(tree.path))
            if program.is_yours(path) and program.is_yours(path, program.NEEDED_BY_NOTHING):
                left_out.add(path)
                del modules.found[name]
        assert modules.unresolved() == [], tree.answers
    assert left_out == {"tests/test_model.py", "tests/test_routes.py", "tests/test_job_types.py"}


def test_the_table_names_what_a_project_has(trees: list[Tree]) -> None:
    for tree in trees:
        package = next((tree.path / "src").iterdir()).name
        rows = yaml.safe_load(render(TABLE, **{**tree.answers, "package_name": package}))
        pages = [(tree.path / name).read_text() for name in ("README.md", "AGENTS.md")]
        for row in (row for row in rows if row.get("when", True)):
            assert (tree.path / row["file"]).exists() or row["file"] == "own.mk", f"{tree.answers}: {row}"
            for page in pages:
                assert row.get("how", f"`{row['file']}`") in page
        for row in (row for row in rows if not row.get("when", True)):
            assert not (tree.path / row["file"]).exists(), f"{tree.answers}: {row}"
            assert row["file"] not in "".join(pages)


def test_each_row_of_the_readme_is_on_the_first_screen(trees: list[Tree]) -> None:
    for tree in trees:
        lines = (tree.path / "README.md").read_text().splitlines()
        last = max(number for number, line in enumerate(lines) if line.startswith("| add "))
        assert last < 30, tree.path


def test_marked_places_are_two_lines_that_nothing_stands_between(trees: list[Tree]) -> None:
    for tree in trees:
        names = ["Dockerfile", "compose.yaml", ".env.example"]
        names += {"github": [".github/workflows/ci.yml"], "gitlab": [".gitlab-ci.yml"]}.get(tree.answers["ci"], [])
        for name in names:
            text = (tree.path / name).read_text()
            assert re.search(r"^ *# Your own [\w ]+, from here\n *# to here; updates keep them\.$", text, re.M), name


def test_a_message_names_the_owners_files_that_went() -> None:
    new: dict[str, object] = {
        "preset": "custom",
        "kind": "project",
        "package_name": "shop",
        "hf_task": "feature-extraction",
    }
    new |= {"services": [], "ci": "github"}
    old = {**new, "interfaces": ["api", "cli", "worker"], "training": "manual"}
    said = render(MESSAGE, **new, interfaces=["cli"], training="none", stored=old)
    named = set(re.findall(r"^ +(\S+/\S+)$", said, re.MULTILINE))
    parts = ("routes", "job_types", "training_task", "training.yaml")
    assert named == {name for name in owned(**old) if any(part in name for part in parts)}
    assert render(MESSAGE, **old, stored=old).strip() == ""
    assert render(MESSAGE, **old).strip() == ""


def test_scripts_keep_unix_line_breaks(all_trees: list[Tree]) -> None:
    for tree in all_trees:
        places = [path for path in tree.files() if path.name == ".gitattributes"]
        assert places and all("* text=auto eol=lf\n" in path.read_text() for path in places)
        for path in tree.files():
            if path.suffix == ".sh":
                assert any(path.is_relative_to(place.parent) for place in places), path
                assert b"\r" not in path.read_bytes()
