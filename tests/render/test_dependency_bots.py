"""Dependabot and Renovate can read their files, and find what a project depends on."""

import json
import os
import re
from fnmatch import fnmatch
from pathlib import Path

import pytest
import yaml

from tests.conftest import need_program
from tests.program import run
from tests.releases import commit, copied, git
from tests.trees import Tree

RENOVATE = "renovate@44"
SCHEMAS = {".github/dependabot.yml": "vendor.dependabot", "renovate.json": "vendor.renovate"}
DEPENDENCIES = {
    "copier": {"https://github.com/somebody/slipway"},
    "docker-compose": {"caddy", "redis"},
    "dockerfile": {"ghcr.io/astral-sh/uv", "python"},
    "github-actions": {"actions/checkout", "docker/build-push-action"},
    "pep621": {"fastapi", "hatchling", "ruff", "torch"},
    "pip_requirements": {"hatchling"},
    "pyenv": {"python"},
}
"""Some dependencies of a platform, by the part of Renovate that finds them."""


@pytest.mark.parametrize("name", SCHEMAS)
def test_the_files_fit_the_schemas_of_the_bots(trees: list[Tree], name: str) -> None:
    unique = {path.read_bytes(): path for tree in trees for path in tree.path.glob(name)}
    done = run(["check-jsonschema", f"--builtin-schema={SCHEMAS[name]}", *unique.values()])
    assert done.returncode == 0, done.stdout + done.stderr


def test_dependabot_reads_what_the_project_has(trees: list[Tree]) -> None:
    for tree in trees:
        file = tree.path / ".github/dependabot.yml"
        assert file.exists() == (tree.answers["ci"] == "github"), tree.answers
        if file.exists():
            manager = tree.answers["package_manager"]
            assert f"package-ecosystem: {manager}\n" in file.read_text()


def test_packages_of_the_owner_whose_names_begin_like_torch_are_updated(trees: list[Tree]) -> None:
    tree = next(tree for tree in trees if tree.answers["ci"] == "github" and tree.answers["torch_version"] != "none")
    updates = yaml.safe_load((tree.path / ".github/dependabot.yml").read_text())["updates"]
    ignored = [each["dependency-name"] for each in updates[0]["ignore"]]
    rules = json.loads((tree.path / "renovate.json").read_text())["packageRules"]
    disabled = [name for rule in rules if rule.get("enabled") is False for name in rule.get("matchPackageNames", [])]

    def left_alone(name: str) -> tuple[bool, bool]:
        patterns = [each.strip("/") if each.startswith("/") else f"^{each}$" for each in disabled]
        return any(fnmatch(name, each) for each in ignored), any(re.search(each, name) for each in patterns)

    for name in ("torch", "triton-rocm", "pytorch-triton-rocm", "hatchling"):
        assert left_alone(name) == (True, True), name
    for name in ("torchmetrics", "torch-geometric", "fastapi"):
        assert left_alone(name) == (False, False), name


@pytest.mark.exhaustive  # an npm package of 360 MB
def test_renovate_finds_what_a_project_depends_on(template: Path, tmp_path: Path) -> None:
    npm, node = need_program("npm"), need_program("node")
    installed = run([npm, "install", "--ignore-scripts", "--no-audit", "--prefix", tmp_path / "bot", RENOVATE])
    assert installed.returncode == 0, installed.stderr
    project = copied(template, "999.0.0", tmp_path / "project", {"preset": "platform", "hf_task": "text-generation"})
    answers = project / ".copier-answers.yml"
    answers.write_text(re.sub("_src_path: .*", "_src_path: https://github.com/somebody/slipway", answers.read_text()))
    (project / "uv.lock").write_text('version = 1\nrequires-python = ">=3.11"\n')  # or Renovate takes it for Poetry's
    commit(project, "Name the template's address, and lock")
    programs = tmp_path / "bot/node_modules/.bin"
    checked = run([node, programs / "renovate-config-validator", "--strict"], cwd=project)
    assert checked.returncode == 0, checked.stdout + checked.stderr
    environment = {**os.environ, "LOG_FORMAT": "json", "LOG_LEVEL": "debug"}
    done = run([node, programs / "renovate", "--platform=local", "--dry-run=extract"], cwd=project, env=environment)
    lines = [json.loads(line) for line in done.stdout.splitlines() if line.startswith("{")]
    found = next(line["packageFiles"] for line in lines if line.get("packageFiles"))
    names = {manager: {dep["depName"] for file in files for dep in file["deps"]} for manager, files in found.items()}
    for manager, expected in DEPENDENCIES.items():
        assert expected <= names[manager], manager
    assert git(project, "status", "--porcelain") == ""
