"""Every kind of generated project installs, passes its linters and passes its own tests."""

import pytest

from tests.answers import TASKS, Answer
from tests.conftest import rows
from tests.installed import Make
from tests.program import run
from tests.project.machinery import OF_ANY_KIND, OF_ANY_TASK, copy_tests

pytestmark = [pytest.mark.project, pytest.mark.timeout(1800)]  # hundreds of tests run in one of these

BUCKET: dict[str, Answer] = {
    "preset": "platform",
    "package_manager": "pip",
    "hf_task": "custom",
    "services": ["postgres", "bucket"],
}
"""A platform with files and model versions in a bucket; other modules use it too."""

DEFAULT: dict[str, Answer] = {"package_manager": "uv", "hf_task": "feature-extraction"}
TRAINED: dict[str, Answer] = {"package_manager": "uv", "hf_task": "text-generation", "training": "manual"}
TRAINED |= {"services": ["bucket"], "weights": "bucket"}
TRAINING: dict[str, Answer] = {"preset": "training", "package_manager": "uv"}
CLASSIFIER: dict[str, Answer] = {**TRAINING, "hf_task": "text-classification"}
KINDS: list[dict[str, Answer]] = [
    # With torch and ONNX Runtime for tasks that support both.
    *({**DEFAULT, "hf_task": task} for task in TASKS if "onnx" in TASKS[task]["runtimes"]),
    TRAINED,
    *({**TRAINING, "hf_task": task} for task in TASKS),
]


@pytest.mark.timeout(1800)  # that of the default answers takes nine minutes beside other tests
@pytest.mark.parametrize(
    "answers", rows(KINDS, [DEFAULT, TRAINED]), ids=lambda answers: "-".join(map(str, answers.values()))
)
def test_a_new_project_is_clean_and_passes_its_tests(make_project: Make, answers: dict[str, Answer]) -> None:
    project = make_project(**answers)
    done = project.make("lint")
    assert done.returncode == 0, done.stdout + done.stderr
    assert copy_tests(project.path, str(answers["hf_task"]), without=() if answers == DEFAULT else OF_ANY_TASK)
    done = run([project.path / ".venv/bin/pytest"], cwd=project.path, env=project.environment)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "passed" in done.stdout


@pytest.mark.parametrize(
    "answers",
    rows(
        [{"hf_task": "custom", "interfaces": ["cli"]}, {"hf_task": "custom", "interfaces": ["api"]}, BUCKET], [BUCKET]
    ),
    ids=["cli", "api", "platform"],
)
def test_the_verbs_of_a_custom_project_find_nothing_and_tell_the_coverage(
    make_project: Make, answers: dict[str, Answer]
) -> None:
    project = make_project(**answers)
    done = project.make("lint")
    assert done.returncode == 0, done.stdout + done.stderr
    assert copy_tests(project.path, str(answers["hf_task"]), without=OF_ANY_KIND if answers == BUCKET else ())
    done = project.make("test")
    assert done.returncode == 0, done.stdout + done.stderr
    assert "passed" in done.stdout
    assert "TOTAL" in done.stdout


@pytest.mark.parametrize(("module", "code"), [("routes", 0), ("errors", 1)], ids=["yours", "ours"])
def test_only_your_files_may_lack_annotations(make_project: Make, module: str, code: int) -> None:
    project = make_project(package_manager="uv", hf_task="custom")
    file = project.path / f"src/my_project/{module}.py"
    before = file.read_text()
    file.write_text(f"{before}\n\ndef double(value):\n    return 2 * value\n")
    try:
        done = run([project.path / ".venv/bin/pyrefly", "check"], cwd=project.path, env=project.environment)
    finally:
        file.write_text(before)
    assert done.returncode == code, done.stdout
    assert ("[implicit-any-parameter]" in done.stdout) == bool(code)


def test_the_hooks_let_a_clean_commit_pass_and_hold_back_a_conflict(make_project: Make) -> None:
    project = make_project(package_manager="uv", hf_task="custom")
    hooks = [project.path / ".venv/bin/pre-commit", "run", "--all-files"]
    options = {"cwd": project.path, "env": project.environment}
    assert run(["git", "add", "--all"], **options).returncode == 0
    done = run(hooks, **options)
    assert done.returncode == 0, done.stdout
    page = project.path / "README.md"
    before = page.read_text()
    page.write_text(f"{before}\n<<<<<<< mine\n=======\n>>>>>>> theirs\n")
    try:
        assert run(hooks, **options).returncode != 0
    finally:
        page.write_text(before)


def test_every_verb_that_ends_works(make_project: Make) -> None:
    project = make_project(package_manager="uv", hf_task="custom")
    for verb in ("help", "lock", "format", "train"):
        done = project.make(verb)
        assert done.returncode == 0, done.stdout + done.stderr
    changed = run(["git", "diff", "--name-only"], cwd=project.path).stdout
    assert "src" not in changed and "tests" not in changed, "a new project is formatted already"
