"""The workflows of this repository are valid, safe and pinned, and their commands exist and work here."""

import re
import shlex
import shutil
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.program import run
from tests.reference import ROOT

FOLDER = ROOT / ".github/workflows"
WORKFLOWS = sorted(FOLDER.glob("*.yml"))
FORMS = sorted(path for path in (ROOT / ".github/ISSUE_TEMPLATE").glob("*.yml") if path.name != "config.yml")
HOSTED = {"sudo", "docker", "make"}
"""Programs of a hosted runner."""


def jobs() -> dict[str, dict[str, Any]]:
    return {name: job for file in WORKFLOWS for name, job in yaml.safe_load(file.read_text())["jobs"].items()}


def commands() -> list[str]:
    return [step["run"] for job in jobs().values() for step in job["steps"] if "run" in step]


def tool(command: str) -> str:
    """Return the command as run.py runs it, with the development tools first on PATH."""
    return re.sub(r"^python3? run\.py ", "", command)


@pytest.mark.parametrize("file", WORKFLOWS, ids=lambda file: file.name)
def test_workflow_is_valid(file: Path) -> None:
    done = run(["check-jsonschema", "--builtin-schema=vendor.github-workflows", file])
    assert done.returncode == 0, done.stdout
    done = run(["check-jsonschema", "--builtin-schema=custom.github-workflows-require-timeout", file])
    assert done.returncode == 0, done.stdout


@pytest.mark.parametrize("file", FORMS, ids=lambda file: file.name)
def test_issue_form_is_valid(file: Path) -> None:
    done = run(["check-jsonschema", "--builtin-schema=vendor.github-issue-forms", file])
    assert done.returncode == 0, done.stdout


def test_zizmor_finds_nothing() -> None:
    done = run(["zizmor", "--offline", "--persona=pedantic", "--no-progress", ROOT / ".github"])
    assert done.returncode == 0, done.stdout + done.stderr


def test_actions_and_runners_are_those_of_projects() -> None:
    known = (ROOT / "extensions/actions.jinja").read_text()
    text = "".join(file.read_text() for file in WORKFLOWS)
    for action in re.findall(r"uses: (.+)", text):
        assert f"'{action}'" in known, f"{action}: take the pin of extensions/actions.jinja"
    [linux] = re.findall(r"runner = '(.+)'", known)
    assert set(re.findall(r"ubuntu-[\w.]+", text)) == {linux}


def test_disk_is_freed_as_in_projects() -> None:
    block = (ROOT / "extensions/ci/free_disk.yml").read_text().strip()
    assert block in (FOLDER / "ci.yml").read_text()


def test_only_the_release_may_write() -> None:
    permissions = {name: job["permissions"] for name, job in jobs().items()}
    assert permissions.pop("publish") == {"contents": "write"}
    assert all(granted == {"contents": "read"} for granted in permissions.values())


def test_every_layer_of_the_tests_runs() -> None:
    run_there = {Path(path).name for command in commands() for path in re.findall(r"tests/\w+", command)}
    run_there |= set(jobs()["layer"]["strategy"]["matrix"]["layer"])
    layers = {folder.parent.name for folder in (ROOT / "tests").glob("*/test_*.py")} - {"machinery", "architectures"}
    assert layers <= run_there, "tests/project runs those of tests/machinery and tests/architectures"


def test_images_are_built_of_every_preset_with_a_project() -> None:
    matrix = jobs()["images"]["strategy"]["matrix"]
    presets = yaml.safe_load((ROOT / "extensions/presets.yml").read_text()).keys()
    assert {*matrix["preset"], "existing", "frontend", "workspace", "custom"} == set(presets)
    assert matrix["package_manager"] == ["uv", "pip"]


@pytest.mark.parametrize("command", commands())
def test_command_exists(command: str) -> None:
    program, *arguments = shlex.split(tool(command))
    assert program in HOSTED or shutil.which(program), program
    for path in (argument for argument in arguments if re.fullmatch(r"tests/\w+", argument)):
        assert (ROOT / path).is_dir(), path
    if arguments[:1] == ["-m"] and program == "python":
        assert (ROOT / f"{arguments[1].replace('.', '/')}.py").is_file()


def test_documentation_builds(template: Path) -> None:
    [command] = [command for command in commands() if "zensical" in command]
    done = run(["bash", "-e", "-c", tool(command)], cwd=template)
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.parametrize(("preset", "manager"), [("api", "uv"), ("platform", "pip")])
def test_projects_are_copied(
    preset: str, manager: str, template: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PRESET", preset)
    monkeypatch.setenv("PACKAGE_MANAGER", manager)
    copies = [command for command in commands() if "copier copy" in command]
    assert len(copies) == 2
    project = tmp_path
    for number, command in enumerate(copies):
        project = tmp_path / str(number)
        done = run(["bash", "-e", "-c", tool(command).replace("../my-project", str(project))], cwd=template)
        assert done.returncode == 0, done.stderr
        assert "smoke:" in (project / "Makefile").read_text()
    answers = yaml.safe_load((project / ".copier-answers.yml").read_text())
    assert (answers["preset"], answers["package_manager"]) == (preset, manager)
