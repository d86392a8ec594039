"""The copier program in worker processes, where Jinja keeps what it compiled: many updates in little time."""

import contextlib
import io
import multiprocessing
import os
from collections.abc import Callable, Iterable
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml
from copier._cli import CopierApp

from tests import releases
from tests.releases import as_options
from tests.trees import compile_once


@dataclass(frozen=True)
class Done:
    """What the program said, and with which exit code it ended."""

    code: int
    said: str

    @property
    def is_refusal(self) -> bool:
        """Whether it refused, in one line."""
        return self.code == 1 and len(self.said.strip().splitlines()) == 1


def copier(command: str, *arguments: str | Path) -> Done:
    """Run the copier program in this process, without a terminal and with the answers that there are."""
    said = io.StringIO()
    with contextlib.redirect_stderr(said), contextlib.redirect_stdout(io.StringIO()):
        try:
            _, code = CopierApp.run(["copier", command, "--defaults", "--quiet", *map(str, arguments)], exit=False)
        except SystemExit as ended:
            code = int(ended.code or 0)
    return Done(code, said.getvalue())


def real_copier(command: str, *arguments: str | Path, cwd: Path | None = None) -> Done:
    """Run the copier program as users do, with the answers that there are."""
    done = releases.copier(command, "--defaults", *arguments, cwd=cwd)
    return Done(done.returncode, done.stderr)


def copy(template: Path, release: str, destination: Path, data: dict[str, Any]) -> Done:
    """Copy a release of the template."""
    return copier("copy", "--vcs-ref", release, *as_options(data), template, destination)


def stored(project: Path) -> dict[str, Any]:
    """Return the answers of a project, with what Copier notes about the template."""
    return parsed((project / ".copier-answers.yml").read_text("utf-8"))


def parsed(text: str) -> dict[str, Any]:
    """Return the answers of an answers file."""
    answers = yaml.safe_load(text)
    assert isinstance(answers, dict)
    return answers


def each(do: Callable[[Any], Any], items: Iterable[Any]) -> list[Any]:
    """Call the function with each item, in as many processes as there are CPUs."""
    with ProcessPoolExecutor(os.cpu_count(), multiprocessing.get_context("spawn"), initializer=compile_once) as pool:
        return list(pool.map(do, items))
