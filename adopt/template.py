"""Data of the template that answers follow from: releases of torch, and the questions that it asks."""

from contextlib import suppress
from functools import cache
from pathlib import Path
from typing import Any

import yaml
from jinja2 import Environment, TemplateError

CLONE = Path(__file__).resolve().parent.parent
DATA = CLONE / "extensions" if (CLONE / "copier.yml").exists() else Path(__file__).with_name("data")
"""The template's data: in a clone, or as the installed package carries it."""
TORCH: dict[str, Any] = yaml.safe_load((DATA / "torch.yml").read_text("utf-8"))
CHOICES: dict[str, Any] = yaml.safe_load((DATA / "choices.yml").read_text("utf-8"))


@cache
def questions() -> dict[str, dict[str, Any]]:
    """Return the questions of the template by name."""
    found: dict[str, dict[str, Any]] = {}
    for file in sorted((DATA / "questions").glob("*.yml")):
        for name, question in yaml.load(file.read_text("utf-8"), _Loader).items():
            if isinstance(question, dict):
                found[name] = question
    return found


class _Loader(yaml.SafeLoader):
    """Reads `!include`, which Copier resolves, as its plain value."""


def _included(_loader: Any, _suffix: str, _node: Any) -> None:
    return None


_Loader.add_multi_constructor("!", _included)


def asked(answers: dict[str, Any]) -> dict[str, Any]:
    """Return those of the answers that the template asks, beside the others."""
    environment = Environment()
    known = dict(answers)
    kept: dict[str, Any] = {}
    for name, question in questions().items():
        if question.get("when") is False and "preset" in str(question.get("default")):
            # Computed from the preset, and read by other questions; what includes a file is not.
            with suppress(TemplateError, TypeError):
                known[name] = environment.from_string(str(question["default"])).render(known)
    for name, value in answers.items():
        question = questions().get(name)
        if question is None or question.get("when") is False:
            continue
        condition = environment.from_string(str(question.get("when", "true"))).render(known)
        if condition.strip().lower() not in ("", "false", "no", "none", "0"):
            kept[name] = value
    return kept
