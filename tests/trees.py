"""Generated projects that are only read."""

from collections.abc import Iterable
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any
from unittest.mock import patch

import copier._main
from copier._template import Template
from jinja2 import Environment
from pytest_copie.plugin import Copie


@dataclass(frozen=True)
class Tree:
    """A generated project."""

    answers: dict[str, Any]
    path: Path

    def files(self) -> list[Path]:
        """Every file, in order."""
        return sorted(path for path in self.path.rglob("*") if path.is_file())


def rendered(sets: Iterable[dict[str, Any]], template: Path, folder: Path) -> list[Tree]:
    """Return a tree in the folder for each set of answers, made by as many processes as there are CPUs."""
    folder.mkdir(exist_ok=True)
    with ProcessPoolExecutor(initializer=_prepare, initargs=(template,)) as pool:
        return list(pool.map(partial(_render, template, folder), *zip(*enumerate(sets), strict=True)))


def _render(template: Path, folder: Path, number: int, answers: dict[str, Any]) -> Tree:
    named = {"project_name": "My Project"} | answers
    result = Copie(template, folder, folder / "config", counter=number).copy(extra_answers=named)
    assert result.project_dir, f"{answers}: {result.exception!r}"
    return Tree(answers, result.project_dir)


def _prepare(template: Path) -> None:
    """Leave out half of a copy's time: a clone of the template, and a look at Git's settings for each file.

    The template is a clone already, with nothing but its newest commit checked out; the trees are in no repository.
    """
    compile_once()
    patch.object(Template, "local_abspath", template).start()
    patch.object(copier._main, "is_git_available", lambda: False).start()


def compile_once() -> None:
    """Lets Jinja keep what it compiles: half of a copy's time, and the same in every copy."""
    compile_anew = Environment.compile
    if compile_anew.__module__ == __name__:
        return
    kept: dict[Any, Any] = {}

    def compile(self: Environment, source: str, name: str | None = None, *options: Any) -> Any:
        # Not by the file's path, the first option: each copy has a clone of its own.
        key = self.sandboxed, source, name, *options[1:]
        if key not in kept:
            kept[key] = compile_anew(self, source, name, *options)
        return kept[key]

    patch.object(Environment, "compile", compile).start()
