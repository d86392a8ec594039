#!/usr/bin/env python3
"""Runs a command in Slipway's development environment, which it makes first: `python3 run.py pytest`.

Needs Python 3.11 or newer with venv and pip; brings uv, copier and every other tool at the versions that
pyproject.toml pins, into .venv beside this file.
"""

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
except ImportError:  # Windows: two that install at once are in each other's way there
    fcntl = None  # type: ignore[assignment]

ROOT = Path(__file__).resolve().parent
ENVIRONMENT = ROOT / ".venv"
PROGRAMS = ENVIRONMENT / ("Scripts" if os.name == "nt" else "bin")
MANIFEST = ROOT / "pyproject.toml"
STAMP = ENVIRONMENT / "installed"


def install() -> None:
    """Makes the environment, unless it is there and of this manifest; one that was left half-made is made anew."""
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
    """Waits until no other process installs: one that was killed holds nobody up."""
    with Path(__file__).open() as file:
        if fcntl:
            fcntl.flock(file, fcntl.LOCK_EX)
        yield


def call(command: list[str | Path]) -> None:
    """Runs an installer; ends the program with its exit code if it fails."""
    code = subprocess.run(command).returncode
    if code:
        sys.exit(f"run.py: {Path(command[0]).name} failed; is there a network?")


def main() -> None:
    """Installs, then runs the command line with .venv's programs first on PATH, and passes its exit code on."""
    if len(sys.argv) < 2:
        sys.exit(__doc__)
    if sys.version_info < (3, 11):  # noqa: UP036 - what runs this is whatever the machine has
        sys.exit(f"run.py: Python 3.11 or newer is needed, this is {sys.version.split()[0]}")
    with alone():
        install()
    path = os.pathsep.join([str(PROGRAMS), os.environ.get("PATH", "")])
    program = shutil.which(sys.argv[1], path=path)
    if program is None:
        sys.exit(f"run.py: there is no program {sys.argv[1]}")
    try:
        sys.exit(subprocess.run([program, *sys.argv[2:]], env={**os.environ, "PATH": path}).returncode)
    except KeyboardInterrupt:
        sys.exit(130)


if __name__ == "__main__":
    main()
