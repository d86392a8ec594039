"""The questions of the template, read without Copier."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from tests.answers import ROOT


@dataclass(frozen=True)
class Include:
    """A file, or several, that stand where their name is."""

    pattern: str


class Loader(yaml.SafeLoader):
    """Reads YAML without following includes."""


Loader.add_constructor("!include", lambda loader, node: Include(loader.construct_scalar(node)))


def documents() -> list[Any]:
    """The documents of copier.yml."""
    return list(yaml.load_all((ROOT / "copier.yml").read_text("utf-8"), Loader))


def groups() -> dict[Path, dict[str, Any]]:
    """File -> its questions, in the order in which copier.yml includes them."""
    included = (document for document in documents() if isinstance(document, Include))
    paths = [path for include in included for path in sorted(ROOT.glob(include.pattern))]
    return {path: yaml.load(path.read_text("utf-8"), Loader) for path in paths}


def questions() -> dict[str, dict[str, Any]]:
    """Every question, in order."""
    return {name: question for group in groups().values() for name, question in group.items()}


def asked() -> dict[str, dict[str, Any]]:
    """Every question that is not computed, in order."""
    return {name: question for name, question in questions().items() if question.get("when") is not False}


def helps() -> dict[str, str]:
    """Question -> its help text, of all that can be asked."""
    return {name: question["help"] for name, question in asked().items()}
