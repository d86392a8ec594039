#!/usr/bin/env python3
"""Run a command in Slipway's development environment: `python3 run.py pytest`.

Creates the environment first, in .venv beside this file, with uv, copier and every other tool at the versions that
pyproject.toml pins. Needs Python 3.11 or newer with venv and pip.

`adopt PATH` proposes answers for a repository with code, and adds containers to it.
`preview PRESET` writes the project of a preset, and shows what changed in it since the last release.

`copier copy` and `copier update` print how many files they create, and what to do next;
`python3 run.py python -m copier` prints every file.
"""

import ast
import hashlib
import os
import re
import shutil
import subprocess
import sys
import venv
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

try:
    import fcntl
except ImportError:  # Windows: do not start two installations at once there
    fcntl = None  # type: ignore[assignment]

ROOT = Path(__file__).resolve().parent
ENVIRONMENT = ROOT / ".venv"
PROGRAMS = ENVIRONMENT / ("Scripts" if os.name == "nt" else "bin")
MANIFEST = ROOT / "pyproject.toml"
STAMP = ENVIRONMENT / "installed"
NO_COMPOSE_FILE = "ignore:File not found; returning empty dict"
"""Silences Copier's warning about each name of a compose file that existing code might have and has not."""
MODULES = {"adopt": "adopt", "preview": "tests.preview"}
"""Commands of this repository's own, and the modules that hold them."""
FILE = re.compile(r"(\x1b\[\d*m)*\s*(create|identical)\b")
"""A line of Copier's about a file or folder that is new or stays as it is."""
REFUSAL = re.compile(r"'dict object' has no attribute ('.*'|\".*\")")
"""A sentence of the template's, in the words of Jinja (decision 25)."""


def install() -> None:
    """Create the environment, unless it exists for this manifest; replace one that is incomplete."""
    wanted = hashlib.sha256(MANIFEST.read_bytes()).hexdigest() + sys.version
    if STAMP.exists() and STAMP.read_text() == wanted:
        return
    pin = re.search(r'"(uv==[^"]+)"', MANIFEST.read_text("utf-8"))
    if pin is None:
        sys.exit("run.py: pyproject.toml pins no uv")
    print("run.py: installing the development tools into .venv", file=sys.stderr)
    shutil.rmtree(ENVIRONMENT, ignore_errors=True)
    venv.create(ENVIRONMENT, with_pip=True)
    call([PROGRAMS / "python", "-m", "pip", "install", "--quiet", "--disable-pip-version-check", pin[1]])
    call([PROGRAMS / "uv", "pip", "install", "--quiet", "--python", PROGRAMS / "python", "--group", f"{MANIFEST}:dev"])
    STAMP.write_text(wanted)


@contextmanager
def alone() -> Iterator[None]:
    """Wait until no other process installs. The lock ends with its process."""
    with Path(__file__).open() as file:
        if fcntl:
            fcntl.flock(file, fcntl.LOCK_EX)
        yield


def call(command: list[str | Path]) -> None:
    """Run an installer; exit if it fails."""
    code = subprocess.run(command).returncode
    if code:
        sys.exit(f"run.py: {Path(command[0]).name} failed; is there a network?")


def run_copier(command: list[str], environment: dict[str, str]) -> int:
    """Run copier and return its exit code; print how many files and folders it creates in place of a line for each."""
    environment = {"PYTHONWARNINGS": NO_COMPOSE_FILE, **environment}
    with subprocess.Popen(command, env=environment, stderr=subprocess.PIPE, text=True, errors="replace") as process:
        assert process.stderr
        created = 0
        for line in process.stderr:
            if found := FILE.match(line):
                created += found[2] == "create"
                continue
            if created:
                print(f"{created} files and folders created", file=sys.stderr)
                created = 0
            line = REFUSAL.sub(lambda refusal: ast.literal_eval(refusal[1]), line)
            print(line, end="", file=sys.stderr, flush=True)
    return process.returncode


def main() -> None:
    """Install, then run the command line with .venv's programs first on PATH, and exit with its code."""
    if len(sys.argv) < 2:
        sys.exit(__doc__)
    if sys.version_info < (3, 11):  # noqa: UP036 - what runs this is whatever the machine has
        sys.exit(f"run.py: Python 3.11 or newer is needed, this is {sys.version.split()[0]}")
    with alone():
        install()
    environment = {**os.environ, "PATH": os.pathsep.join([str(PROGRAMS), os.environ.get("PATH", "")])}
    name, *arguments = sys.argv[1:]
    if module := MODULES.get(name):
        name, arguments = "python", ["-m", module, *arguments]
        environment["PYTHONPATH"] = str(ROOT)
    program = shutil.which(name, path=environment["PATH"])
    if program is None:
        sys.exit(f"run.py: there is no program {name}")
    command = [program, *arguments]
    short = sys.argv[1] == "copier" and sys.argv[2:3] in (["copy"], ["update"]) and "--pretend" not in sys.argv
    try:
        sys.exit(run_copier(command, environment) if short else subprocess.run(command, env=environment).returncode)
    except KeyboardInterrupt:
        sys.exit(130)


if __name__ == "__main__":
    main()
