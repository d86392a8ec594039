"""Answers corrected at a terminal."""

import pytest

from adopt.correction import corrected, typed
from adopt.findings import GUESS, LIKELY, SURE, Finding

FOUND = {
    "python_version": Finding("python_version", "3.11", SURE),
    "code_paths": Finding("code_paths", ["src"], LIKELY),
    "commands": Finding("commands", {"train": "python train.py"}, GUESS),
    "health_route": Finding("health_route", "/ping", LIKELY),
}


def test_only_unsure_answers_are_asked_and_enter_keeps_them() -> None:
    asked: list[str] = []

    def ask(prompt: str) -> str:
        asked.append(prompt)
        return ""

    assert corrected(FOUND, list(FOUND), ask) == FOUND
    assert [prompt.split()[0] for prompt in asked] == ["code_paths", "commands", "health_route"]


def test_typed_values_replace_found_ones() -> None:
    lines = iter(["[app, train.py]", "nonsense", "{run: python app.py}", "none"])

    result = corrected(FOUND, list(FOUND), lambda prompt: next(lines))

    assert result["code_paths"].value == ["app", "train.py"]
    assert result["commands"].value == {"run": "python app.py"}
    assert result["health_route"].value == ""


@pytest.mark.parametrize(("text", "like", "value"), [("a, b", [], ["a", "b"]), ("none", ["a"], []), ("none", {}, {})])
def test_lists_are_read_with_and_without_brackets(text: str, like: object, value: object) -> None:
    assert typed("code_paths", text, like) == value
