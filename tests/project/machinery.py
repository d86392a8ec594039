"""Copy the tests of the machinery into generated projects, as far as these have what the tests import."""

import json
import re
import shutil
from pathlib import Path

import yaml

from tests.answers import ROOT, TASKS

FOLDER = ROOT / "tests/machinery"
ATTACKS = ROOT / "tests/attack/data"
PACKAGE = "my_project"

OF_ANY_KIND = ("batch", "benchmark", "server/test_hosted.py", "server/test_http_limits.py", "server/test_json_body.py")
OF_ANY_KIND += ("server/test_processes.py", "server/test_trusted_hosts.py")
"""Tests of what is the same in every kind of project, and takes minutes: run in one of them."""

OF_ANY_TASK = (*OF_ANY_KIND, "cli", "db", "doctor", "jobs", "observability", "registry")
"""Tests of what does not depend on the task: run in the projects of one task each."""


def copy_tests(project: Path, task: str, without: tuple[str, ...] = ()) -> list[Path]:
    """Copy the tests whose modules the project has into its folder `tests/machinery`, and return them.

    The stand-ins of the hub come with them, as `machinery.hub` and `machinery.model_hub`, and so do the lists of
    attacks, in `machinery/data`, and the inputs that are made to hurt, as `machinery.recipes`.

    Args:
        project: Folder of a project whose package is called `my_project`.
        task: Its `hf_task`; tests that are named after another task are left out.
        without: Begins of paths below `tests/machinery` that are left out.
    """
    target = project / "tests/machinery"
    shutil.rmtree(target, ignore_errors=True)
    copied = []
    for source in sorted(FOLDER.rglob("*.py")):
        name = source.relative_to(FOLDER).as_posix()
        if not name.startswith(without) and _fits(source, project, task):
            path = target / source.relative_to(FOLDER)
            path.parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(source, path)
            copied.append(path)
    for name in ("hub.py", "model_hub.py"):
        shutil.copy(ROOT / "tests" / name, target / name)
    (target / "data").mkdir(parents=True)
    for attacks in ATTACKS.glob("*.yml"):  # as JSON, for which projects need no package
        content = json.dumps(yaml.safe_load(attacks.read_text("utf-8")))
        (target / "data" / attacks.with_suffix(".json").name).write_text(content)
    shutil.copytree(ROOT / "tests/attack/recipes", target / "recipes")
    return copied


def _fits(test: Path, project: Path, task: str) -> bool:
    others = {f"test_{each.replace('-', '_')}" for each in TASKS if each != task}
    if test.stem in others:
        return False
    text = test.read_text("utf-8")
    found = re.findall(rf"^from {PACKAGE}([\w.]*) import ([^\n(]+|\([^)]*\))", text, re.MULTILINE)
    return all(_exists(project / "src" / PACKAGE, module, names) for module, names in found)


def _exists(package: Path, module: str, names: str) -> bool:
    path = package.joinpath(*module.strip(".").split("."))
    if path.with_suffix(".py").is_file():
        return True
    if not path.is_dir():
        return False
    imported = [name.split(" as ")[0].strip() for name in names.strip("()").split(",") if name.strip()]
    exported = (path / "__init__.py").read_text("utf-8")
    return all((path / f"{name}.py").is_file() or (path / name).is_dir() or name in exported for name in imported)
