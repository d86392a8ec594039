"""`copier update` on projects that people have worked on: their work stays, their answers stay or change as asked."""

import os
import re
import tomllib
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from subprocess import CompletedProcess
from typing import Any

import pytest
import yaml

from tests.answers import TABLE
from tests.releases import (
    DEPENDENCY,
    NEWEST,
    README,
    ROUTE,
    SETTING,
    VERB,
    as_options,
    assert_clean,
    commit,
    copied,
    copier,
    git,
    package,
    releases,
    updated_from,
)
from tests.template.terminal import CTRL_C, ENTER, answer
from tests.template.test_copier import helps

ANSWERS = ".copier-answers.yml"
OLD = next(version for version in TABLE["releases"] if version not in TABLE["retired"])
"""The oldest version of torch on offer."""
Projects = Callable[[dict[str, Any]], Path]
Updated = tuple[CompletedProcess[str], Path]

CHANGES: list[tuple[dict[str, Any], dict[str, Any]]] = [
    ({}, {"package_manager": "pip"}),
    ({"package_manager": "pip"}, {"package_manager": "uv"}),
    ({}, {"accelerator": "cu130"}),
    ({}, {"torch_version": "2.14.1"}),
    ({"interfaces": ["cli"]}, {"interfaces": ["cli", "api"]}),
    ({"interfaces": ["api"]}, {"interfaces": ["cli", "api"]}),
    ({}, {"interfaces": ["cli"]}),
    ({"license": "MIT"}, {"license": "Apache-2.0"}),
    ({"devcontainer": "no", "accelerator": "cu130"}, {"devcontainer": "yes"}),
    ({}, {"devcontainer": "no"}),
    ({"hf_task": "custom"}, {"training": "scheduled"}),
]


@pytest.fixture(scope="module")
def projects(template: Path, tmp_path_factory: pytest.TempPathFactory) -> Projects:
    """Gives the project that the working tree makes of answers of the table above; only read."""
    folder = tmp_path_factory.mktemp("copied")
    rows = {_key(data): data for before, change in CHANGES for data in (before, {**before, **change})}

    def copy(key: str) -> Path:
        return copied(template, NEWEST, folder / str(list(rows).index(key)), rows[key])

    with ThreadPoolExecutor(os.cpu_count()) as pool:
        made = dict(zip(rows, pool.map(copy, rows), strict=True))
    return lambda data: made[_key(data)]


@pytest.fixture(scope="module")
def changed(projects: Projects, tmp_path_factory: pytest.TempPathFactory) -> list[Updated]:
    """Every change of the table above, on every core at once: what copier said, and the project."""
    folder = tmp_path_factory.mktemp("changed")

    def change(row: int) -> Updated:
        data, changes = CHANGES[row]
        project = working_copy(projects(data), folder / str(row))
        return copier("update", "--defaults", "--quiet", *as_options(changes), cwd=project), project

    with ThreadPoolExecutor(os.cpu_count()) as pool:
        return list(pool.map(change, range(len(CHANGES))))


def _key(data: dict[str, Any]) -> str:
    return str(sorted(data.items()))


def stored(project: Path) -> dict[str, Any]:
    """The project's answers, with what Copier notes about the template."""
    answers = yaml.safe_load((project / ANSWERS).read_text())
    assert isinstance(answers, dict)
    return answers


def contents(project: Path) -> dict[str, bytes]:
    """File -> its content, of all but git's own files and the answers."""
    found = (path for path in project.rglob("*") if path.is_file() and ".git" not in path.parts)
    return {str(path.relative_to(project)): path.read_bytes() for path in found if path.name != ANSWERS}


def differing(one: Path, other: Path) -> list[str]:
    """Files that only one of the projects has, or that differ."""
    first, second = contents(one), contents(other)
    return sorted(name for name in first.keys() | second.keys() if first.get(name) != second.get(name))


def working_copy(project: Path, destination: Path) -> Path:
    """A clone of the project to change."""
    git(project, "clone", "--quiet", project, destination)
    return destination


def next_release(template: Path, folder: Path, file: str, change: Callable[[str], str]) -> Path:
    """A clone of the template with one more release, in which a file has changed."""
    git(template, "clone", "--quiet", template, folder)
    (folder / file).write_text(change((folder / file).read_text("utf-8")), "utf-8")
    commit(folder, "Next", "1000.0.0")
    return folder


@pytest.mark.parametrize("data", [{}, {"package_manager": "pip", "preset": "cli"}], ids=["api-uv", "cli-pip"])
@pytest.mark.parametrize("release", releases())
def test_an_update_keeps_what_the_user_did(template: Path, tmp_path: Path, release: str, data: dict[str, Any]) -> None:
    project = updated_from(template, release, tmp_path / "project", data)
    before = yaml.safe_load(git(project, "show", f"HEAD:{ANSWERS}"))
    after = stored(project)
    assert after.pop("_commit") == NEWEST and before.pop("_commit") == release
    assert {name: after[name] for name in before} == before
    assert after["runtime"] == before.get("runtime", "torch")  # what its code runs in, which is the user's own
    assert (project / "README.md").read_text() == README
    assert not (project / ".pre-commit-config.yaml").exists()
    assert (project / "Makefile").read_text().endswith(VERB)
    assert SETTING in (package(project) / "settings.py").read_text()
    dependencies = tomllib.loads((project / "pyproject.toml").read_text())["project"]["dependencies"]
    assert DEPENDENCY.strip(' ",\n') in dependencies
    if "api" in after["interfaces"]:
        assert (package(project) / "api.py").read_text().endswith(ROUTE)


@pytest.mark.parametrize("row", range(len(CHANGES)), ids=lambda row: " to ".join(map(str, CHANGES[row])))
def test_a_changed_answer_gives_the_tree_of_a_fresh_copy(projects: Projects, changed: list[Updated], row: int) -> None:
    done, project = changed[row]
    assert done.returncode == 0, done.stderr
    assert_clean(project)
    data, change = CHANGES[row]
    fresh = projects({**data, **change})
    assert differing(project, fresh) == []
    assert stored(project) == stored(fresh)


def test_an_answer_changes_without_another_version_of_the_template(template: Path, tmp_path: Path) -> None:
    newer = next_release(
        template, tmp_path / "template", "template/project/pyproject.toml.jinja", lambda text: text + "# New\n"
    )
    project = copied(newer, NEWEST, tmp_path / "project")
    wanted = copied(newer, NEWEST, tmp_path / "wanted", {"accelerator": "cu130"})
    options = ["--defaults", "--quiet", "--vcs-ref=:current:", "--data=accelerator=cu130"]
    done = copier("update", *options, cwd=project)
    assert done.returncode == 0, done.stderr
    assert_clean(project)
    assert differing(project, wanted) == []
    assert stored(project) == stored(wanted)


@pytest.mark.parametrize(
    ("file", "emitted", "updated"),
    [
        ("{{ sources }}/doctor/__init__.py.jinja", "src/my_project/doctor/__init__.py", True),
        ("{{ sources }}/commands/doctor.py", "src/my_project/commands/doctor.py", True),
        ("tests/test_doctor.py.jinja", "tests/test_doctor.py", True),
        ("{{ sources }}/cli.py", "src/my_project/cli.py", False),
        ("tests/test_cli.py.jinja", "tests/test_cli.py", False),
    ],
)
def test_of_the_sources_an_update_brings_the_checks_of_doctor_alone(
    template: Path, tmp_path: Path, file: str, emitted: str, updated: bool
) -> None:
    newer = next_release(template, tmp_path / "template", f"template/project/{file}", lambda text: text + "# New\n")
    project = copied(newer, NEWEST, tmp_path / "project")
    done = copier("update", "--defaults", "--quiet", cwd=project)
    assert done.returncode == 0, done.stderr
    assert (project / emitted).read_text().endswith("# New\n") == updated


def test_an_update_to_the_same_version_changes_nothing(projects: Projects, tmp_path: Path) -> None:
    project = working_copy(projects({}), tmp_path / "project")
    done = copier("update", "--defaults", cwd=project)
    assert done.returncode == 0, done.stderr
    assert git(project, "status", "--porcelain") == ""


def test_a_bad_answer_is_refused_and_the_project_stays_as_it_was(template: Path, tmp_path: Path) -> None:
    data = {"torch_version": "2.11.0", "accelerator": "cu128"}
    project = copied(template, NEWEST, tmp_path / "project", data)
    done = copier("update", "--defaults", "--quiet", "--data=torch_version=2.13.0", cwd=project)
    assert done.returncode == 1
    assert "Traceback" not in done.stderr
    assert len(done.stderr.strip().splitlines()) == 1, done.stderr
    assert [fragment for fragment in ("2.13.0", "cu128", "cu130", "2.11.0") if fragment not in done.stderr] == []
    assert git(project, "status", "--porcelain") == ""


def test_both_answers_of_a_pair_can_change_at_once(template: Path, tmp_path: Path) -> None:
    data = {"torch_version": "2.11.0", "accelerator": "cu128"}
    change = {"torch_version": "2.13.0", "accelerator": "cu130"}
    project = copied(template, NEWEST, tmp_path / "project", data)
    done = copier("update", "--defaults", "--quiet", *as_options(change), cwd=project)
    assert done.returncode == 0, done.stderr
    assert stored(project).items() >= change.items()


def test_an_answer_that_a_release_drops_does_not_stop_the_update(template: Path, tmp_path: Path) -> None:
    dropped = "copyright_year"
    newer = tmp_path / "template"
    git(template, "clone", "--quiet", template, newer)
    for path in [*(newer / "extensions").rglob("*.*"), *newer.glob("template/project/*LICENSE*")]:
        if path.is_file():
            text = path.read_text("utf-8").replace("{{ copyright_year }}", "2026")
            text = re.sub(rf"^{dropped}:.*\n((?: .*)?\n)*?(?=\S|\Z)", "", text, flags=re.MULTILINE)
            path.write_text(text, "utf-8")
    assert holding(newer, dropped) == []
    commit(newer, "Next", "1000.0.0")
    project = copied(newer, NEWEST, tmp_path / "project")
    done = copier("update", "--defaults", "--quiet", cwd=project)
    assert done.returncode == 0, done.stderr
    assert dropped not in stored(project)


@pytest.fixture(scope="module")
def newer(template: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The template with a next release that offers OLD no longer."""

    def retire(text: str) -> str:
        changed = re.sub(r"^retired: \[", f'retired: ["{OLD}", ', text, count=1, flags=re.MULTILINE)
        assert changed != text
        return changed

    return next_release(template, tmp_path_factory.mktemp("newer") / "template", "extensions/torch.yml", retire)


@pytest.fixture(scope="module")
def holder(newer: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A project with OLD, updated to the release that retires it."""
    project = copied(newer, NEWEST, tmp_path_factory.mktemp("holder") / "project", {"torch_version": OLD})
    done = copier("update", "--defaults", "--quiet", cwd=project)
    assert done.returncode == 0, done.stderr
    commit(project, "Update")
    return project


def test_a_project_keeps_a_python_that_has_ended(template: Path, tmp_path: Path) -> None:
    python = TABLE["default"]["python"]
    newer = next_release(
        template,
        tmp_path / "template",
        "extensions/torch.yml",
        lambda text: text.replace("ended: [", f'ended: ["{python}", '),
    )
    project = copied(newer, NEWEST, tmp_path / "project")
    done = copier("update", "--defaults", "--quiet", cwd=project)
    assert done.returncode == 0, done.stderr
    assert stored(project)["python_version"] == python


def test_a_project_keeps_a_retired_version(holder: Path) -> None:
    assert stored(holder)["torch_version"] == OLD
    assert stored(holder)["_commit"] == "1000.0.0"
    assert f"torch=={OLD}" in (holder / "pyproject.toml").read_text()


def test_a_project_keeps_a_retired_version_while_another_answer_changes(holder: Path, tmp_path: Path) -> None:
    project = working_copy(holder, tmp_path / "project")
    done = copier("update", "--defaults", "--quiet", "--data=package_manager=pip", cwd=project)
    assert done.returncode == 0, done.stderr
    assert stored(project)["torch_version"] == OLD


def test_a_project_with_a_retired_version_keeps_it_with_enter(holder: Path, tmp_path: Path) -> None:
    project = working_copy(holder, tmp_path / "project")
    code, asked, screen = answer(helps(), lambda _: ENTER, "update", project)
    assert code == 0, screen[-2000:]
    assert "torch_version" in asked
    assert stored(project)["torch_version"] == OLD


def test_a_new_project_cannot_have_a_retired_version(newer: Path, tmp_path: Path) -> None:
    done = copier("copy", "--defaults", f"--data=torch_version={OLD}", newer, tmp_path / "new")
    assert done.returncode == 1, stored(tmp_path / "new")["torch_version"]
    assert OLD in done.stderr and TABLE["default"]["torch"] in done.stderr
    assert not (tmp_path / "new").exists()


def test_no_sentence_proposes_a_retired_version(newer: Path, tmp_path: Path) -> None:
    for data in ({"torch_version": "9.9"}, {"accelerator": TABLE["releases"][OLD]["accelerators"][-1]}):
        done = copier("copy", "--defaults", *as_options(data), newer, tmp_path / "new")
        assert done.returncode == 1
        assert OLD not in done.stderr


def test_a_new_project_is_not_offered_a_retired_version(newer: Path, tmp_path: Path) -> None:
    def keys(question: str) -> str:
        return CTRL_C if question == "torch_version" else ENTER

    _, asked, screen = answer(helps(), keys, "copy", newer, tmp_path / "new")
    assert asked[-1] == "torch_version"
    assert TABLE["default"]["torch"] in screen
    assert OLD not in screen


def holding(folder: Path, text: str) -> list[str]:
    """Files of the template that hold the text."""
    found = (path for place in ("extensions", "template") for path in (folder / place).rglob("*") if path.is_file())
    return [str(path) for path in found if text in path.read_text("utf-8")]
