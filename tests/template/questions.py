"""The questions of the template, read without Copier."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from tests.answers import ROOT


@dataclass(frozen=True)
class Include:
    """The files that copier.yml includes with `!include`."""

    pattern: str


class Loader(yaml.SafeLoader):
    """A YAML loader that does not follow includes."""


def _include(loader: Loader, node: yaml.ScalarNode) -> Include:
    return Include(loader.construct_scalar(node))


Loader.add_constructor("!include", _include)


def documents() -> list[Any]:
    """Return the documents of copier.yml."""
    return list(yaml.load_all((ROOT / "copier.yml").read_text("utf-8"), Loader))


def groups() -> dict[Path, dict[str, Any]]:
    """Return each file's questions, in the order in which copier.yml includes the files."""
    included = (document for document in documents() if isinstance(document, Include))
    paths = [path for include in included for path in sorted(ROOT.glob(include.pattern))]
    return {path: yaml.load(path.read_text("utf-8"), Loader) for path in paths}


def questions() -> dict[str, dict[str, Any]]:
    """Return every question, in order."""
    return {name: question for group in groups().values() for name, question in group.items()}


def asked() -> dict[str, dict[str, Any]]:
    """Return every question that is not computed, in order."""
    return {name: question for name, question in questions().items() if question.get("when") is not False}


def helps() -> dict[str, str]:
    """Return the help text of each question that is not computed."""
    return {name: question["help"] for name, question in asked().items()}
