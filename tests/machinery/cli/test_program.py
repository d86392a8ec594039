"""The command line as a whole."""

import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

import my_project


def run(*arguments: str) -> subprocess.CompletedProcess[str]:
    """Run the command as a person would."""
    command = [sys.executable, "-m", "my_project", *arguments]
    return subprocess.run(command, capture_output=True, text=True, timeout=120)


def test_version() -> None:
    assert run("--version").stdout.strip() == "0.1.0"


def test_help_lists_the_commands() -> None:
    assert "doctor" in run("--help").stdout


def test_an_unknown_command_is_refused() -> None:
    done = run("no-such-command")
    assert done.returncode == 2
    assert "No such command" in done.stderr


def test_a_setting_that_does_not_fit_is_one_line(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MY_PROJECT_MAX_BATCH_SIZE", "many")
    done = run("predict", "a", "--dry-run")
    assert done.returncode == 1
    assert done.stderr.startswith("error: max_batch_size: ")
    assert len(done.stderr.splitlines()) == 1


def test_help_is_quick_because_nothing_heavy_is_imported() -> None:
    code = """import sys
from my_project.cli.program import app
try:
    app(["--help"])
except SystemExit:
    pass
heavy = {"torch", "transformers", "sklearn", "onnxruntime", "fastapi", "sqlalchemy", "celery"} & set(sys.modules)
sys.exit(" ".join(sorted(heavy)) or 0)"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=120)
    assert (done.returncode, done.stderr) == (0, "")


@pytest.fixture
def copy(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return the folder of a copy of the package, which `run` uses."""
    shutil.copytree(Path(my_project.__file__).parent, tmp_path / "my_project")
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    return tmp_path / "my_project"


def test_a_command_of_the_owner_is_found_and_replaces_ours(copy: Path) -> None:
    (copy / "commands/hello.py").write_text("def hello(name: str = 'World') -> None:\n    print(f'Hello {name}')\n")
    (copy / "commands/doctor.py").write_text("def doctor() -> None:\n    print('healthy')\n")
    assert run("hello", "--name", "you").stdout == "Hello you\n"
    assert run("doctor").stdout == "healthy\n"
    assert "hello" in run("--help").stdout


@pytest.mark.parametrize(
    ("content", "reason"), [("def hello(:\n", "SyntaxError: "), ("import no_such_module\n", "ModuleNotFoundError: ")]
)
def test_a_broken_command_of_the_owner_is_one_line_and_the_others_work(copy: Path, content: str, reason: str) -> None:
    (copy / "commands/hello.py").write_text(content)
    done = run("hello", "--name", "you")
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr.startswith(f"error: my_project/commands/hello.py:1: {reason}")
    assert len(done.stderr.splitlines()) == 1
    assert run("--version").returncode == 0
    assert "Cannot be imported" in run("--help").stdout


@pytest.mark.parametrize("module", ["schemas", "settings"])
def test_a_broken_module_of_the_owner_is_one_line(copy: Path, module: str) -> None:
    with (copy / f"{module}.py").open("a") as file:
        file.write("\nno_such_name\n")
    done = run("predict", "a", "--dry-run")
    assert done.returncode == 1
    assert re.match(rf"error: my_project/{module}.py:\d+: NameError: name 'no_such_name'", done.stderr)
    assert len(done.stderr.splitlines()) == 1


@pytest.mark.parametrize(
    "text", ["see [/docs] and [bold]this[/bold]", "[a] [#b] [@c] [ ] [1]", "100 % [/]", "[[red]x]"]
)
def test_brackets_of_the_description_are_no_markup(copy: Path, monkeypatch: pytest.MonkeyPatch, text: str) -> None:
    module = copy / "__init__.py"
    _, _, rest = module.read_text("utf-8").partition("\n")
    module.write_text(f'"""{text}"""\n{rest}', "utf-8")
    monkeypatch.setenv("COLUMNS", "200")
    done = run("--help")
    assert (done.returncode, done.stderr) == (0, "")
    assert text in done.stdout
