"""What sp-repo-review finds in a project: exactly the findings that are answered here."""

import json
from pathlib import Path

import pytest

from tests.program import run
from tests.trees import rendered

HOOKS = "the hooks run the locked tools of the project instead, so that a commit and `make lint` agree"
HOSTED = "pre-commit.ci cannot run the locked tools of the project"
ANSWERS = {
    "PC100": HOOKS,
    "PC110": HOOKS,
    "PC140": "`make lint` checks types: a whole project takes too long for a hook",
    "PC160": "spelling is the owner's choice",
    "PC170": "there is no reStructuredText",
    "PC180": "the format of Markdown is the owner's choice",
    "PC190": HOOKS,
    "PC901": HOSTED,
    "PC902": HOSTED,
    "PC903": HOSTED,
    "PY007": "the Makefile runs tasks",
    "SEC001": "the tests of the template run zizmor over every workflow",
}
"""Check -> why it fails. The answers are here because projects configure only tools that they run."""

ANSWERS_OF_PIP = {"PP006": "`pip lock --only-deps` takes no dependency group, so `dev` is an extra"}


@pytest.mark.parametrize(
    ("package_manager", "answers"), [("uv", ANSWERS), ("pip", ANSWERS | ANSWERS_OF_PIP)], ids=["uv", "pip"]
)
def test_repo_review_finds_exactly_what_is_answered(
    template: Path, tmp_path: Path, package_manager: str, answers: dict[str, str]
) -> None:
    [tree] = rendered([{"package_manager": package_manager}], template, tmp_path)
    done = run(["repo-review", "--format=json", tree.path])
    checks = json.loads(done.stdout)["checks"]
    assert {check for check, found in checks.items() if found["result"] is False} == set(answers)
