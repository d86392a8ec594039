"""Write the build tools of the images with their hashes: `python -m tests.build_requirements` asks the package index.

The versions of pip and hatchling are those of extensions/versions.jinja; their dependencies get the newest ones.
"""

import os
import re
import sys
import tempfile
from pathlib import Path

import yaml
from jinja2 import Environment, FileSystemLoader
from packaging.version import Version

from tests.program import run

ROOT = Path(__file__).resolve().parent.parent
FILE = ROOT / "template/project/docker/build-requirements.txt.jinja"
HEADER = (
    "# Build tools of the images, with the hashes that their installation checks.\n"
    "# If you change [build-system] in pyproject.toml, list its tools and theirs here as well, with their hashes.\n"
)
PIN = re.compile(r"^[\w.-]+==\S+", re.MULTILINE)


def oldest_python() -> str:
    """Return the oldest version of Python that a new project can have."""
    table = yaml.safe_load((ROOT / "extensions/torch.yml").read_text("utf-8"))
    known = {python for release in table["releases"].values() for python in release["python"]}
    return min(known - {*table["ended"]}, key=Version)


def render(text: str, **answers: str) -> str:
    """Return a file of the template as a project with these answers gets it."""
    return Environment(loader=FileSystemLoader(ROOT), keep_trailing_newline=True).from_string(text).render(**answers)


def requirements(held: str = "") -> str:
    """Return the file: the pinned tools and their dependencies, in the versions that `held` has where it names them.

    Exits with one line if the package index cannot give them.
    """
    versions = "{% from 'extensions/versions.jinja' import hatchling, pip %}"
    pins = {
        "uv": render(versions + "editables\nhatchling=={{ hatchling }}\n"),
        "pip": render(versions + "editables\nhatchling=={{ hatchling }}\npip=={{ pip }}\n"),
    }
    found = {manager: compiled(wanted, held) for manager, wanted in pins.items()}
    (only_pip,) = set(blocks(found["pip"])) - set(blocks(found["uv"]))
    text = found["pip"].replace(only_pip, f"{{%- if package_manager == 'pip' %}}\n{only_pip}{{%- endif %}}\n")
    return HEADER + text


def blocks(text: str) -> list[str]:
    """Return each requirement with its hashes."""
    return re.findall(r"^\S.*\n(?:[ ]+--hash.*\n)+", text, re.MULTILINE)


def compiled(wanted: str, held: str) -> str:
    """Return the resolution of some requirements, with the hashes of every file of each release."""
    with tempfile.TemporaryDirectory() as folder:
        source, constraints = Path(folder, "wanted.in"), Path(folder, "held.txt")
        source.write_text(wanted, "utf-8")
        constraints.write_text("".join(f"{pin}\n" for pin in PIN.findall(held)), "utf-8")
        options = ["--quiet", "--generate-hashes", "--universal", "--python-version", oldest_python()]
        done = run(
            ["uv", "pip", "compile", *options, "--no-header", "--no-annotate", "--constraints", constraints, source],
            env={**os.environ, "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"},
        )
    if done.returncode:
        sys.exit(f"build_requirements: {' '.join(done.stderr.split())}")
    return done.stdout


if __name__ == "__main__":
    FILE.write_text(requirements(), "utf-8")
