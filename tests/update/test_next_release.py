"""Answers and releases: what a project holds stays valid, and what a release no longer has stops no update."""

import re
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.answers import TABLE
from tests.releases import NEWEST, as_options, assert_clean, commit, copied, copier, git, refused_releases
from tests.template.questions import helps
from tests.template.terminal import CTRL_C, ENTER, answer
from tests.update.program import stored

OLD = next(version for version in TABLE["releases"] if version not in TABLE["retired"])
"""The oldest version of torch on offer."""


def working_copy(project: Path, destination: Path) -> Path:
    """Return a clone of the project to change."""
    git(project, "clone", "--quiet", project, destination)
    return destination


def next_release(template: Path, folder: Path, file: str, change: Callable[[str], str]) -> Path:
    """Return a clone of the template with one more release, in which a file has changed."""
    git(template, "clone", "--quiet", template, folder)
    (folder / file).write_text(change((folder / file).read_text("utf-8")), "utf-8")
    commit(folder, "Next", "1000.0.0")
    return folder


@pytest.mark.exhaustive
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
    git(project, "add", "--all")
    assert git(project, "ls-files", "-s") == git(wanted, "ls-files", "-s")
    assert stored(project) == stored(wanted)


@pytest.mark.parametrize("release", refused_releases())
def test_a_release_that_is_too_old_is_refused_in_a_sentence(template: Path, tmp_path: Path, release: str) -> None:
    project = copied(template, release, tmp_path / "project")
    done = copier("update", "--defaults", "--quiet", cwd=project)
    assert done.returncode == 1
    assert len(done.stderr.strip().splitlines()) == 1, done.stderr
    assert f"a project of Slipway {release} cannot be updated" in done.stderr
    assert git(project, "status", "--porcelain") == ""


def test_an_update_to_the_same_version_changes_nothing(template: Path, tmp_path: Path) -> None:
    project = copied(template, NEWEST, tmp_path / "project")
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


@pytest.mark.exhaustive
def test_both_answers_of_a_pair_can_change_at_once(template: Path, tmp_path: Path) -> None:
    data = {"torch_version": "2.11.0", "accelerator": "cu128"}
    change = {"torch_version": "2.13.0", "accelerator": "cu130"}
    project = copied(template, NEWEST, tmp_path / "project", data)
    done = copier("update", "--defaults", "--quiet", *as_options(change), cwd=project)
    assert done.returncode == 0, done.stderr
    assert stored(project).items() >= change.items()


@pytest.mark.exhaustive
def test_an_answer_that_a_release_drops_does_not_stop_the_update(template: Path, tmp_path: Path) -> None:
    dropped = "copyright_year"
    newer = tmp_path / "template"
    git(template, "clone", "--quiet", template, newer)
    for path in [*(newer / "extensions").rglob("*.*"), *newer.glob("template/project/*LICENSE*")]:
        if path.is_file():
            text = path.read_text("utf-8").replace("{{ copyright_year }}", "2026")
            text = re.sub(rf"^{dropped}:.*\n((?: .*)?\n)*?(?=\S|\Z)", "", text, flags=re.MULTILINE)
            path.write_text(text, "utf-8")
    (newer / f"extensions/rules/{dropped}.jinja").unlink()
    assert holding(newer, dropped) == []
    commit(newer, "Next", "1000.0.0")
    project = copied(newer, NEWEST, tmp_path / "project")
    done = copier("update", "--defaults", "--quiet", cwd=project)
    assert done.returncode == 0, done.stderr
    assert dropped not in stored(project)


@pytest.fixture(scope="module")
def newer(template: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return the template with a next release that offers OLD no longer."""

    def retire(text: str) -> str:
        changed = re.sub(r"^retired: \[", f'retired: ["{OLD}", ', text, count=1, flags=re.MULTILINE)
        assert changed != text
        return changed

    return next_release(template, tmp_path_factory.mktemp("newer") / "template", "extensions/torch.yml", retire)


@pytest.fixture(scope="module")
def holder(newer: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a project with OLD, updated to the release that retires it."""
    project = copied(newer, NEWEST, tmp_path_factory.mktemp("holder") / "project", {"torch_version": OLD})
    done = copier("update", "--defaults", "--quiet", cwd=project)
    assert done.returncode == 0, done.stderr
    commit(project, "Update")
    return project


@pytest.mark.exhaustive
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


@pytest.mark.exhaustive
def test_a_project_keeps_a_retired_version_while_another_answer_changes(holder: Path, tmp_path: Path) -> None:
    project = working_copy(holder, tmp_path / "project")
    done = copier("update", "--defaults", "--quiet", "--data=package_manager=pip", cwd=project)
    assert done.returncode == 0, done.stderr
    assert stored(project)["torch_version"] == OLD


@pytest.mark.exhaustive
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


@pytest.mark.exhaustive
def test_no_sentence_proposes_a_retired_version(newer: Path, tmp_path: Path) -> None:
    for data in ({"torch_version": "9.9"}, {"accelerator": TABLE["releases"][OLD]["accelerators"][-1]}):
        done = copier("copy", "--defaults", *as_options(data), newer, tmp_path / "new")
        assert done.returncode == 1
        assert OLD not in done.stderr


@pytest.mark.exhaustive
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
