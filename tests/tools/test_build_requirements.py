"""The hashes of the build tools are those of the package index, and an installation checks them."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests import build_requirements
from tests.program import run

HELD = build_requirements.FILE.read_text(encoding="utf-8")
PATH = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"


def installed(requirements: str, folder: Path) -> subprocess.CompletedProcess[str]:
    """Install requirements into a new environment, as the images of uv projects do."""
    (folder / "build-requirements.txt").write_text(requirements)
    environment = {**os.environ, "PATH": PATH}
    assert run(["uv", "venv", "--quiet", folder / "venv"], env=environment).returncode == 0
    command = ["uv", "pip", "install", "--no-cache", "--python", folder / "venv", "--require-hashes", "--requirement"]
    return run([*command, folder / "build-requirements.txt"], env=environment)


def test_the_file_holds_the_versions_of_the_template_and_the_hashes_of_the_index() -> None:
    assert build_requirements.requirements(HELD) == HELD, "run `python3 run.py python -m tests.build_requirements`"


def test_only_projects_with_pip_install_pip() -> None:
    with_pip, with_uv = (build_requirements.render(HELD, package_manager=each) for each in ("pip", "uv"))
    assert set(build_requirements.PIN.findall(with_pip)) - set(build_requirements.PIN.findall(with_uv)) == {
        build_requirements.render("{% from 'extensions/versions.jinja' import pip %}pip=={{ pip }}")
    }


def test_the_tools_are_installed_with_these_hashes(tmp_path: Path) -> None:
    done = installed(build_requirements.render(HELD, package_manager="uv"), tmp_path)
    assert done.returncode == 0, done.stderr
    program = [tmp_path / "venv/bin/python", "-c", "import hatchling.build"]
    assert run(program).returncode == 0


@pytest.mark.parametrize("tool", ["hatchling", "pluggy"])
def test_a_wrong_hash_stops_the_installation(tool: str, tmp_path: Path) -> None:
    text = build_requirements.render(HELD, package_manager="uv")
    assert tool in text
    (block,) = [each for each in build_requirements.blocks(text) if each.startswith(f"{tool}==")]
    wrong = "".join("0" if each == "1" else each for each in block.partition("\n")[2])
    done = installed(text.replace(block.partition("\n")[2], wrong), tmp_path)
    assert done.returncode != 0
    assert "Hash mismatch" in done.stderr and tool in done.stderr
