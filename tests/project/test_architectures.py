"""Models of every kind give the numbers of their own libraries, in the projects of all tasks.

The programs in tests/architectures run with the environment of one project and the sources of the project of each task:
their dependencies are the same.
"""

import json
import os
import shutil
import subprocess
from collections import Counter
from collections.abc import Callable, Sequence
from pathlib import Path

import pytest
from pytest_copie.plugin import Copie

from tests.answers import ROOT
from tests.conftest import rows
from tests.installed import Make
from tests.program import run

pytestmark = pytest.mark.project

LIBRARIES = ("sentence-transformers==6.2.0", "pillow>=11")
"""What sentence embeddings and scores of pairs are compared with, and what image processors need."""

SAMPLE = [
    "bert",
    "roberta",
    "gpt2",
    "t5",
    "bart",
    "xlnet",
    "fnet",
    "llama",
    "modernbert",
    "longformer",
    "funnel",
    "mpt",
]
"""Architectures of every run, each of a kind of its own."""

Program = Callable[..., subprocess.CompletedProcess[str]]


@pytest.fixture(scope="module")
def program(
    make_project: Make, copie_session: Copie, template: Path, tmp_path_factory: pytest.TempPathFactory
) -> Program:
    """Return a function that runs Python with the programs, the sources of a task's project, and the library."""
    installed = make_project(package_manager="uv", hf_task="feature-extraction")
    programs = shutil.copytree(ROOT / "tests/architectures", tmp_path_factory.mktemp("programs") / "architectures")
    (programs / "__init__.py").unlink()
    (programs / "pytest.ini").touch()
    libraries = [f"--with={each}" for each in LIBRARIES]
    sources: dict[str, Path] = {}

    def program(task: str, *arguments: str) -> subprocess.CompletedProcess[str]:
        if task not in sources:
            answers = {"project_name": "My Project", "package_manager": "uv", "hf_task": task}
            result = copie_session.copy(extra_answers=answers, template_dir=template)
            assert result.project_dir, result.exception
            sources[task] = result.project_dir / "src"
        paths = os.pathsep.join([str(sources[task]), str(programs)])
        command = ["uv", "run", "--quiet", "--project", str(installed.path), *libraries, "python", *arguments]
        settings = {"PYTHONPATH": paths, "HF_HUB_OFFLINE": "1"}
        return run(command, cwd=programs, env=installed.environment | settings, timeout=3600)

    return program


@pytest.mark.parametrize(
    "selection",
    rows(
        [
            ("text-classification", ""),
            ("text-classification", "torch"),
            ("text-classification", "problem_type or beside"),
            ("feature-extraction", ""),
            ("feature-extraction", "torch or dimensions"),
            ("fill-mask", ""),
            ("fill-mask", "torch"),
            ("text-generation", ""),
            ("image-classification", ""),
        ],
        [
            ("text-classification", "problem_type or beside"),
            ("feature-extraction", "torch or dimensions"),
            ("text-generation", ""),
        ],
    ),
    ids="-".join,
)
def test_models_of_every_kind_agree_with_their_libraries(program: Program, selection: tuple[str, str]) -> None:
    task, chosen = selection
    name = f"test_{task.replace('-', '_')}.py"
    done = program(task, "-m", "pytest", "-q", "-p", "no:cacheprovider", "-c", "pytest.ini", name, "-k", chosen)
    assert done.returncode == 0, done.stdout + done.stderr
    assert " passed" in done.stdout


@pytest.mark.parametrize(
    "selection",
    rows(
        [
            *((task, "torch", SAMPLE) for task in ("text-classification", "fill-mask", "text-generation")),
            ("feature-extraction", "torch", SAMPLE),
            *((task, "torch", []) for task in ("text-classification", "fill-mask", "text-generation")),
            ("feature-extraction", "torch", []),
            *((task, "onnx", []) for task in ("text-classification", "fill-mask", "feature-extraction")),
            *(("image-classification", runtime, []) for runtime in ("torch", "onnx")),
        ],
        [("text-classification", "torch", SAMPLE)],
    ),
    ids=lambda selection: f"{selection[0]}-{selection[1]}-{'sample' if selection[2] else 'all'}",
)
def test_no_architecture_fails(program: Program, selection: tuple[str, str, Sequence[str]]) -> None:
    task, runtime, kinds = selection
    done = program(task, "sweep.py", task, runtime, *kinds)
    assert done.returncode == 0, done.stderr
    found = [json.loads(line) for line in done.stdout.splitlines() if line.startswith("{")]
    print(*(f"{each['architecture']:24} {each['outcome']:8} {each['reason']}" for each in found), sep="\n")
    assert not [each for each in found if each["outcome"] == "fails"]
    assert Counter(each["outcome"] for each in found)["agrees"] >= len(found) / 2
