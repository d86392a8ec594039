"""The table of features: every pattern matches a file, and every preset emits the files that its snapshot lists."""

from pathlib import Path

import yaml
from jinja2 import Environment, FileSystemLoader, StrictUndefined
from pathspec import GitIgnoreSpec

from tests.answers import ROOT
from tests.render.snapshots import FOLDER, file_list, presets

TABLE = "extensions/features.yml.jinja"


def features() -> dict[str, list[str]]:
    """Return the patterns of each feature."""
    environment = Environment(loader=FileSystemLoader(ROOT), undefined=StrictUndefined)
    table = yaml.safe_load(environment.get_template(TABLE).render())
    return {name: feature["files"] for name, feature in table.items()}


def emitted(folder: Path) -> set[str]:
    """Return every path that the template in a folder can emit, with `task` for the folder of a task."""
    found = set()
    for path in folder.rglob("*"):
        parts = [_plain(part) for part in path.relative_to(folder).parts]
        if path.is_file():
            found.add("/".join(parts).removesuffix(".jinja"))
    return found


def _plain(part: str) -> str:
    if "task_folder" in part:
        return "task"
    names = {
        "{{ package_name }}": "package",
        "{{ docker_folder }}": "docker",
        "{{ gitlab_ci }}.yml": ".gitlab-ci.yml",
        "{{ 'slipway' if '.devcontainer' in keep else '.' }}": ".",
        "{{ 'slipway-gpu' if '.devcontainer' in keep else 'gpu' }}": "gpu",
    }
    part = names.get(part.removesuffix(".jinja"), part)
    return part.replace("{{ compose }}", "compose").replace("{{ dockerfile }}", "Dockerfile")


def test_every_pattern_matches_a_file() -> None:
    files = set().union(*map(emitted, (ROOT / "template").iterdir()))
    for feature, patterns in features().items():
        for pattern in patterns:
            assert not pattern.endswith("/"), f"{feature}: {pattern} leaves empty folders behind"
            spec = GitIgnoreSpec.from_lines([pattern])
            assert any(spec.match_file(file) for file in files), f"{feature}: {pattern} matches nothing"


def test_patterns_of_a_feature_are_in_order() -> None:
    for feature, patterns in features().items():
        assert patterns == sorted(patterns), feature


def test_names_in_the_template_are_plain() -> None:
    for path in (ROOT / "template").rglob("*"):
        assert "{%" not in path.name, path


def test_a_preset_emits_the_files_of_its_snapshot(template: Path, tmp_path: Path) -> None:
    for tree in presets(template, tmp_path):
        snapshot = (FOLDER / f"{tree.answers['preset']}.txt").read_text("utf-8")
        assert file_list(tree) == snapshot, "run `python -m tests.render.snapshots` if this change is meant"
