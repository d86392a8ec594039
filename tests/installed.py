"""Generated projects with their environments installed, and their running servers."""

import os
import subprocess
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

import pytest
from pytest_copie.plugin import Copie

from tests.answers import Answer
from tests.conftest import TORCH_INDEX, need_program
from tests.program import run


@dataclass(frozen=True)
class Project:
    """A generated project with its environment installed."""

    path: Path
    environment: dict[str, str]

    @property
    def command(self) -> str:
        """The project's own command."""
        return str(self.path / ".venv/bin/my-project")

    def make(self, *verbs: str) -> subprocess.CompletedProcess[str]:
        """Run targets of the Makefile; never raise for the exit code."""
        return run([need_program("make"), *verbs], cwd=self.path, env=self.environment)

    def run(self, *arguments: str | Path, **settings: str) -> subprocess.CompletedProcess[str]:
        """Run the project's command with settings in the environment; never raise for its exit code."""
        return run([self.command, *arguments], cwd=self.path, env=self.environment | settings, timeout=300)

    def python(self, code: str, *packages: str, **settings: str) -> str:
        """Return the output of a program in the project's environment, with further packages."""
        extra = [f"--with={package}" for package in packages]
        command = ["uv", "run", "--quiet", *extra, "python", "-c", code]
        done = run(command, cwd=self.path, env=self.environment | settings, timeout=600)
        assert done.returncode == 0, done.stderr
        return done.stdout

    @contextmanager
    def served(self, **settings: str) -> Iterator["Server"]:
        """Yield the project's API on a free port, once its model has loaded or failed to."""
        command = [self.command, "serve", "--port", "0"]
        environment = self.environment | {"PYTHONUNBUFFERED": "1"} | settings
        with subprocess.Popen(
            command, cwd=self.path, env=environment, stderr=subprocess.STDOUT, stdout=subprocess.PIPE, text=True
        ) as process:
            assert process.stdout
            log: list[str] = []
            reader = threading.Thread(
                target=lambda: log.extend(process.stdout or ())
            )  # a full pipe would stop the server
            try:
                for line in process.stdout:
                    log.append(line)
                    if "engine: " in line:  # loaded, or the reason why not; uvicorn logs its address before
                        break
                address = next(word for each in log for word in each.split() if word.startswith("http://"))
                reader.start()
                yield Server(process, address, log)
            finally:
                process.terminate()
                process.wait(timeout=60)
                if reader.ident is not None:
                    reader.join()


@dataclass
class Server:
    """A running API."""

    process: subprocess.Popen[str]
    url: str
    log: list[str]


class Make(Protocol):
    """Generate and install projects."""

    def __call__(self, **answers: Answer) -> Project:
        """Return the project of the given answers."""
        ...


@pytest.fixture(scope="session")
def environment(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """Return the environment of a new user: without settings of projects, and with an empty cache of the hub."""
    foreign = ("MY_PROJECT_", "HF_", "UV_", "VIRTUAL_ENV", "PYTEST_", "PIP_FIND_LINKS", "COVERAGE_", "COV_")
    kept = {name: value for name, value in os.environ.items() if not name.startswith(foreign)}
    return kept | {"HF_HOME": str(tmp_path_factory.mktemp("hf")), "PIP_CONFIG_FILE": os.devnull, "NO_COLOR": "1"}


@pytest.fixture(scope="session")
def make_project(template: Path, copie_session: Copie, environment: dict[str, str]) -> Make:
    """Return a function that generates and installs the project of some answers, once for each set."""
    made: dict[str, Project] = {}

    def make_project(**answers: Answer) -> Project:
        key = repr(sorted(answers.items()))
        if key not in made:
            data = {"project_name": "My Project", "torch_index": TORCH_INDEX, **answers}
            result = copie_session.copy(extra_answers=data, template_dir=template)
            assert result.project_dir, result.exception
            project = Project(result.project_dir, environment)
            git = run(["git", "init", "--quiet"], cwd=project.path)
            assert git.returncode == 0, git.stderr
            done = project.make("install")
            assert done.returncode == 0, done.stdout + done.stderr
            made[key] = project
        return made[key]

    return make_project


def tiny_model(project: Project, folder: Path) -> dict[str, str]:
    """Return settings that select the tiny model of the project's own tests."""
    code = "import sys; sys.path.insert(0, 'tests'); from pathlib import Path; from example import make_model"
    return {"MY_PROJECT_MODEL": project.python(f"{code}; print(make_model(Path({str(folder)!r})))").strip()}
