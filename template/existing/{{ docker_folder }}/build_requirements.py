"""Lock the tools that build the package, with hashes, so that its build checks what it downloads.

build_requirements.py SOURCE FILE   write the requirements of the build of the package in SOURCE to FILE
"""

import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path

import source

FILE = source.HERE / "build-requirements.txt"
NAME = f"{source.HERE.name}/{FILE.name}"
REQUIRES = "# Requires: "
UNCHECKED = "# Without hashes: "
DEFAULT = {"requires": ["setuptools>=40.8.0"], "build-backend": "setuptools.build_meta:__legacy__"}
"""The build system of a package whose pyproject.toml names none (PEP 517)."""

ASK_BACKEND = """
import importlib, json, sys
backend, *sys.path[:0] = json.loads(sys.argv[1])
module, _, names = backend.partition(":")
found = importlib.import_module(module)
for name in filter(None, names.split(".")):
    found = getattr(found, name)
print("\\n" + json.dumps(getattr(found, "get_requires_for_build_wheel", list)()))
"""


def system(package: Path) -> dict[str, object]:
    """Return the build system of the package in a folder."""
    return {**DEFAULT, "backend-path": [], **source.manifest(package).get("build-system", {})}


def write(package: Path, file: Path) -> None:
    """Write the requirements of the build, which pyproject.toml and its backend name, in exact versions with hashes.

    Exits with one line if they cannot be found.
    """
    copy = source.copied() / package
    stated = system(package)["requires"]
    requires = sorted({*stated, *asked(copy)})
    # The hash of an archive exists; a Git commit and a folder have none.
    unchecked = sorted(each for each in requires if "@" in each.partition(";")[0] and "#sha256=" not in each)
    listed = Path(tempfile.mkdtemp(), "requires.in")
    listed.write_text("".join(f"{each}\n" for each in requires if each not in unchecked), "utf-8")
    options = ["--quiet", "--generate-hashes", "--no-header", "--no-annotate"]
    locked = run(copy, "uv", "pip", "compile", *options, listed)
    notes = [f"{REQUIRES}{json.dumps(stated)}\n"] + [f"{UNCHECKED}{each}\n" for each in unchecked]
    file.write_text("".join(notes) + locked, "utf-8")


def asked(copy: Path) -> list[str]:
    """Return the requirements that the build backend names itself, such as those of a setup.py."""
    given = system(copy)
    environment = Path(tempfile.mkdtemp(), "backend")
    run(copy, "uv", "venv", "--quiet", environment)
    python = environment / "bin/python"
    run(copy, "uv", "pip", "install", "--quiet", "--python", python, *given["requires"])
    source.track(copy, "0")
    paths = [str(copy / each) for each in given["backend-path"]]
    output = run(copy, python, "-c", ASK_BACKEND, json.dumps([given["build-backend"], *paths]))
    return json.loads(output.splitlines()[-1])


def options(package: Path) -> list[str | Path]:
    """Return the options with which uv checks the tools that build a package.

    Exits with one line if the file is out of date.
    """
    if not FILE.is_file():
        print(f"package: build tools are not checked: there is no {NAME}; lock again", file=sys.stderr)
        return []
    lines = source.text(FILE).splitlines()
    if f"{REQUIRES}{json.dumps(system(package)['requires'])}" not in lines:
        sys.exit(f"package: {NAME} is out of date: [build-system] of pyproject.toml has changed; lock again")
    unchecked = [line.removeprefix(UNCHECKED) for line in lines if line.startswith(UNCHECKED)]
    for each in unchecked:
        print(f"package: a build tool is not checked, because its address has no hash: {each}", file=sys.stderr)
    return ["--build-constraints", FILE, *([] if unchecked else ["--require-hashes"])]


def run(folder: Path, *command: str | Path) -> str:
    """Run a command in a package and return its output; if it fails, print that and exit with one line."""
    settings = source.build_settings(folder, "0") if source.versioned_by_git(folder) else {**os.environ}
    done = subprocess.run(command, cwd=folder, env=settings, capture_output=True, text=True)
    if done.returncode:
        print(done.stdout, done.stderr, file=sys.stderr)
        sys.exit("lock: the build tools of the package cannot be locked; the reason is above")
    return done.stdout


if __name__ == "__main__":
    write(Path(sys.argv[1]), Path(sys.argv[2]))
