"""What is said of a library that is missing."""

import re
import sys
from importlib.util import find_spec
from pathlib import Path

import pytest

from my_project.cli.program import import_failure
from my_project.inference import missing_libraries
from my_project.inference.missing_libraries import SYSTEM, explain, missing_distributions


def raised(statement: str) -> BaseException:
    """Return what a statement raises."""
    try:
        exec(statement)
    except Exception as error:
        return error
    raise AssertionError(f"{statement} raises nothing")


@pytest.mark.parametrize(
    ("statement", "distribution"),
    [
        ("import a_module_of_nobody", "a-module-of-nobody"),
        ("from a_module_of_nobody.part import name", "a-module-of-nobody"),
        ("raise ModuleNotFoundError('No module', name='cv2.gapi')", "opencv-python-headless"),
        ("raise ModuleNotFoundError('No module', name='detectron2')", "detectron2@git+"),
        ("raise ImportError('You need to install fugashi to use MecabTokenizer.')", "fugashi"),
        ("raise ImportError('See https://registry.example/project/rjieba/ for installation.')", "rjieba"),
        (
            "raise ImportError('It requires bitsandbytes: `pip install -U bitsandbytes>=1`')",
            "bitsandbytes",
        ),
        ("raise ImportError('Loading a GPTQ model requires optimum (`pip install optimum`)')", "optimum"),
        ("raise ModuleNotFoundError('The unidic_lite dictionary is not installed.')", "unidic-lite"),
        ("raise RuntimeError('`kernels` is required to use this')", "kernels"),
        (
            "raise ImportError('This needs packages that were not found in your environment: einops. Run `pip`')",
            "einops",
        ),
    ],
)
def test_a_missing_module_is_named_by_its_distribution(
    statement: str, distribution: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    found = missing_libraries.find_spec
    others = ("cv2", "detectron2")
    monkeypatch.setattr(missing_libraries, "find_spec", lambda name: None if name in others else found(name))
    error = raised(statement)
    [name] = missing_distributions(error)
    assert name.startswith(distribution)
    line = explain(error)
    assert line.startswith(f"needs {name}, not installed: ")
    assert "\n" not in line and ("uv add" in line or "pyproject.toml" in line)


def test_the_cause_of_an_error_counts() -> None:
    error = raised("try:\n import a_module_of_nobody\nexcept ImportError as e:\n raise ValueError('no model') from e")
    assert missing_distributions(error) == ["a-module-of-nobody"]


@pytest.mark.parametrize(
    "statement",
    [
        "raise ValueError('something else')",
        "raise ImportError('cannot import name x from partially initialized module')",
        "from os import nothing_of_that_name",
        "import os.nothing_of_that_name",
        pytest.param(
            "raise ValueError('does not recognize this architecture: `pip install --upgrade transformers`')",
            marks=pytest.mark.skipif(not find_spec("my_project.task"), reason="loads no model of the hub"),
        ),
    ],
)
def test_other_errors_are_not_explained(statement: str) -> None:
    assert explain(raised(statement)) == ""


def test_a_missing_library_of_the_system_is_named_by_its_package() -> None:
    line = explain(ImportError("libGL.so.1: cannot open shared object file: No such file or directory"))
    assert line.startswith("needs the system library libGL.so.1: add libgl1 to docker/packages.txt")
    other = explain(OSError("libnobody.so.3: cannot open shared object file: No such file or directory"))
    assert other == "needs the system library libnobody.so.3: install the package that has it"
    assert all(re.fullmatch(r"lib[\w.+-]+\.so[.\d]*", library) for library in SYSTEM)


def test_what_cannot_be_imported_in_your_files_says_what_to_install() -> None:
    package = Path(missing_libraries.__file__).parents[1]
    code = compile("import a_module_of_nobody", str(package / "model.py"), "exec")
    try:
        exec(code, {})
    except ImportError as error:
        line = import_failure(error)
    assert line.startswith("my_project/model.py:1: ModuleNotFoundError: ")
    assert "it needs a-module-of-nobody, not installed: " in line


def test_the_module_needs_only_the_standard_library() -> None:
    path = Path(missing_libraries.__file__)
    imported = set(re.findall(r"^(?:import|from) (\w+)", path.read_text(), re.MULTILINE))
    assert imported <= sys.stdlib_module_names
