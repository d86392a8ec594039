"""Copier accepts a change of an answer and changes no other, or refuses it in one sentence."""

import re
from collections.abc import Callable, Iterator
from contextlib import suppress

import pytest

from tests.answers import CHOICES, TABLE, TASKS, all_values, covering, covering_existing
from tests.template.asking import Questions, RefusalError
from tests.template.test_copier import EXISTING, FRONT_END

PROJECTS: dict[str, dict[str, object]] = {
    "api": {},
    "custom model": {"hf_task": "custom"},
    "everything": {
        "preset": "platform",
        "runtime": "torch",
        "training": "manual",
        "services": ["postgres", "bucket", "monitoring"],
    },
    "existing code": {"preset": "existing"},
    "front end": {"preset": "frontend", "frontend": "vite"},
    "workspace": {"preset": "workspace"},
}
VALUES = all_values()
ALONE = {
    "preset",
    "hf_task",
    "license",
    "package_manager",
    "ci",
    "devcontainer",
    "torch_version",
    "accelerator",
    "python_version",
}
"""Answers to test in one kind of project: whether they can change depends on no other answer."""


@pytest.fixture(scope="module")
def questions(tmp_path_factory: pytest.TempPathFactory) -> Questions:
    """Return the questions of the working tree."""
    return Questions(tmp_path_factory.mktemp("questions"))


def starts(questions: Questions, name: str) -> list[dict[str, object]]:
    """Return projects of each kind with each value of the answer, or the first and last of more than six."""
    found = []
    alone = "front end" if name in FRONT_END else "existing code" if name in EXISTING else "api"
    for kind in [alone] if name in ALONE | EXISTING | FRONT_END else PROJECTS:
        several = VALUES[name] if len(VALUES[name]) <= 6 else [VALUES[name][0], VALUES[name][-1]]
        for value in several:
            with suppress(RefusalError):
                found.append(questions.answers(PROJECTS[kind] | as_given({name: value})))
    return [stored for stored in found if name in stored]


def as_given(data: dict[str, object]) -> dict[str, object]:
    """Return the answers together with those that they require."""
    needs: dict[str, dict[str, object]] = {
        "training_schedule": {"training": "scheduled", "runtime": "torch"},
        "accelerator": {"torch_version": "2.11.0"},
    }
    return {**needs.get(next(iter(data)), {}), **data}


@pytest.mark.parametrize("name", CHOICES)
def test_a_change_is_accepted_alone_or_refused_in_a_sentence(questions: Questions, name: str) -> None:
    projects = starts(questions, name)
    assert projects, f"no project has {name}"
    for stored in projects:
        for value in VALUES[name]:
            if value == stored[name]:
                continue
            try:
                changed = questions.answers({name: value}, stored)
            except RefusalError as refused:
                assert re.search(r"'\w+: .*\.'|\"\w+: .*\.\"", str(refused)), refused
                continue
            different = {key for key in stored.keys() | changed.keys() if stored.get(key) != changed.get(key)}
            came_or_went = stored.keys() ^ changed.keys()
            assert name in different and different - came_or_went <= {name, "hf_revision"}, value


@pytest.mark.parametrize("sets", [covering, covering_existing])
def test_the_questions_accept_every_set_of_answers_that_is_rendered(
    questions: Questions, sets: Callable[[], Iterator[dict[str, object]]]
) -> None:
    for data in sets():
        assert questions.answers(data).items() >= data.items()


@pytest.mark.parametrize("kind", PROJECTS)
def test_an_update_without_changes_keeps_every_answer(questions: Questions, kind: str) -> None:
    stored = questions.answers(PROJECTS[kind])
    assert questions.answers({}, stored) == stored
    assert questions.answers(stored) == stored, "an update renders the old release with all answers as data"


def test_existing_code_may_have_a_python_that_has_ended(questions: Questions) -> None:
    for version in ("none", TABLE["default"]["torch"]):
        data = {"preset": "existing", "torch_version": version, "python_version": "3.10"}
        assert questions.answers(data)["python_version"] == "3.10"
    with pytest.raises(RefusalError):
        questions.answers({"preset": "api", "python_version": "3.10"})


@pytest.mark.parametrize("older", ["", "extra:dev", "tests.txt"])
def test_one_text_of_an_older_release_still_names_the_requirements_of_tests(questions: Questions, older: str) -> None:
    stored = questions.answers({"preset": "existing", "requirements_file": "pyproject.toml"}) | {"_commit": "v0.4.0"}
    updated = questions.answers({}, stored | {"requirements_dev": older})
    assert (updated["requirements_dev"] or "") == older


def test_another_model_has_another_revision(questions: Questions) -> None:
    task = TASKS["feature-extraction"]
    stored = questions.answers({})
    assert (stored["hf_model"], stored["hf_revision"]) == (task["model"], task["revision"])
    other = questions.answers({"hf_model": "an-org/a-model"}, stored)
    assert other["hf_revision"] == "main"
    pinned = questions.answers({"hf_model": "an-org/a-model", "hf_revision": "f" * 40}, stored)
    assert pinned["hf_revision"] == "f" * 40
    assert questions.answers({}, pinned)["hf_revision"] == "f" * 40
    back = questions.answers({"hf_model": task["model"]}, pinned)
    assert back["hf_revision"] == task["revision"]
    with pytest.raises(RefusalError, match=f"is a revision of {task['model']}; give one of an-org/a-model"):
        questions.answers({"hf_model": "an-org/a-model", "hf_revision": task["revision"]}, stored)


def test_another_preset_is_refused_with_what_to_give_instead(questions: Questions) -> None:
    with pytest.raises(RefusalError) as refused:
        questions.answers({"preset": "platform"}, questions.answers({}))
    options = dict(re.findall(r'--data "?(\w+)=(\[.*?\]|\w+)', str(refused.value)))
    assert options == {
        "interfaces": "[cli, api, worker]",
        "services": "[postgres, monitoring]",
        "training": "none",
        "runtime": "onnx",
        "weights": "baked",
    }
    changed = questions.answers(options, questions.answers({}))
    fresh = questions.answers({"preset": "platform"})
    assert changed == fresh | {"preset": "api", "_src_path": changed["_src_path"]}


@pytest.mark.parametrize("task", [task for task in TASKS if task != "feature-extraction"])
def test_another_task_is_refused(questions: Questions, task: str) -> None:
    with pytest.raises(
        RefusalError, match=f"hf_task: the project was made for feature-extraction; make a new project for {task}"
    ):
        questions.answers({"hf_task": task}, questions.answers({}))


@pytest.mark.parametrize(
    ("edited", "sentence"),
    [
        ({"runtime": "tensorflow"}, "runtime"),
        ({"interfaces": "cli"}, "interfaces"),
        ({"accelerator": "cu999"}, "accelerator"),
        ({"torch_version": "9.9"}, "torch_version"),
        ({"author_email": "nonsense"}, "author_email"),
        ({"training": "scheduled", "interfaces": ["cli"]}, "training"),
    ],
)
def test_an_answers_file_that_was_edited_badly_is_refused(
    questions: Questions, edited: dict[str, object], sentence: str
) -> None:
    with pytest.raises(RefusalError, match=sentence):
        questions.answers({}, questions.answers({}) | edited)


def test_a_project_without_what_every_release_stores_is_refused(questions: Questions) -> None:
    stored = questions.answers({}) | {"_commit": "v0.1.0"}
    del stored["ci"]
    with pytest.raises(RefusalError, match=r"a project of Slipway v0[.]1[.]0 cannot be updated"):
        questions.answers({}, stored)
