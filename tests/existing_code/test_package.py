"""The package in an image is what the repository's own build gives, without an engine."""

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.existing_code.packages import PACKAGES, Package, contents, own_wheel
from tests.program import run
from tests.releases import ROOT, commit, git

SCRIPTS = ROOT / "template/existing/{{ docker_folder }}"
BY_GIT = [name for name, package in PACKAGES.items() if package.tag]
LATER = [name for name, package in PACKAGES.items() if package.later]


def context(repository: Path, folder: Path) -> Path:
    """Return what a build receives of a repository: all files but those in .git; of them only the index."""
    shutil.copytree(repository, folder, ignore=lambda parent, _: {".git"} if Path(parent) == repository else set())
    (folder / ".git").mkdir()
    shutil.copy(repository / ".git/index", folder / ".git")
    shutil.copytree(SCRIPTS, folder / "docker", ignore=shutil.ignore_patterns("__pycache__"))
    return folder


def packaged(given: Path, package: Package, out: Path, version: str) -> subprocess.CompletedProcess[str]:
    """Build the wheel as the image does."""
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    command = [sys.executable, "-B", "docker/package.py", "wheel", f"./{package.folder}", out, version]
    return run(command, cwd=given, env={**os.environ, "PATH": path})


@pytest.mark.parametrize("name", PACKAGES)
def test_the_wheel_is_that_of_the_repository_itself(name: str, tmp_path: Path) -> None:
    package = PACKAGES[name]
    repository = package.write(tmp_path / "theirs")
    own = own_wheel(repository, package, tmp_path)
    described = git(repository, "describe", "--tags", "--long", "--abbrev=9").strip() if package.tag else ""
    done = packaged(context(repository, tmp_path / "context"), package, tmp_path / "ours", described)
    assert done.returncode == 0, done.stdout + done.stderr
    (ours,) = (tmp_path / "ours").glob("*.whl")
    assert own.name == ours.name
    assert own.name.startswith(f"our_pkg-{package.version}-")
    found, expected = contents(ours), contents(own)
    if package.with_commit:
        for each in (found, expected):  # and their record
            each.update(dict.fromkeys([package.with_commit, f"our_pkg-{package.version}.dist-info/RECORD"], ""))
    assert found == expected
    assert [each for each in package.holds if each not in contents(ours)] == []


@pytest.mark.parametrize("name", LATER)
def test_the_version_after_a_tag_is_that_of_the_repository_itself(name: str, tmp_path: Path) -> None:
    package = PACKAGES[name]
    repository = package.write(tmp_path / "theirs")
    for number in (1, 2):
        (repository / package.folder / "our_pkg.txt").write_text(f"{number}\n")
        commit(repository, f"Change {number}")
    own = own_wheel(repository, package, tmp_path)
    described = git(repository, "describe", "--tags", "--long", "--abbrev=9").strip()
    done = packaged(context(repository, tmp_path / "context"), package, tmp_path / "ours", described)
    assert done.returncode == 0, done.stdout + done.stderr
    (ours,) = (tmp_path / "ours").glob("*.whl")
    commit_of = re.compile(r"(?<=\.dev2\+g)[0-9a-f]+")  # its length depends on the tool
    assert commit_of.sub("", own.name) == commit_of.sub("", ours.name) != ours.name
    assert len(contents(own)) == len(contents(ours))


@pytest.mark.parametrize("name", BY_GIT)
def test_a_build_without_the_version_of_git_is_refused_in_one_line(name: str, tmp_path: Path) -> None:
    given = context(PACKAGES[name].write(tmp_path / "theirs"), tmp_path / "context")
    done = packaged(given, PACKAGES[name], tmp_path / "ours", "")
    assert done.returncode == 1
    assert done.stderr.count("\n") == 1
    assert '--build-arg VERSION="$(git describe --tags --long)"' in done.stderr
    assert not (tmp_path / "ours").exists()


@pytest.mark.parametrize("version", ["abc1234", "latest", "v", "1.2.x"])
def test_a_version_that_is_none_is_refused_in_one_line(version: str, tmp_path: Path) -> None:
    given = context(PACKAGES["pdm"].write(tmp_path / "theirs"), tmp_path / "context")
    done = packaged(given, PACKAGES["pdm"], tmp_path / "ours", version)
    assert done.returncode == 1
    assert done.stderr.count("\n") == 1
    assert f"VERSION: {version} is neither a version" in done.stderr


def test_a_wheel_without_a_name_or_with_version_0_0_0_is_refused(tmp_path: Path) -> None:
    for name, setup in {"nameless": "setup(packages=['our_pkg'])", "unversioned": "setup(name='our-pkg')"}.items():
        package = Package({"setup.py": f"from setuptools import setup\n{setup}\n", "our_pkg/__init__.py": ""})
        given = context(package.write(tmp_path / name), tmp_path / f"{name}-context")
        done = packaged(given, package, tmp_path / f"{name}-ours", "")
        assert done.returncode == 1
        notice, line = done.stderr.splitlines()
        assert "build tools are not checked" in notice, "nothing is locked here"
        assert "0.0.0" in line and "pyproject.toml" in line


def test_a_build_that_fails_prints_its_reason(tmp_path: Path) -> None:
    package = Package({"setup.py": "raise SystemExit('no model: run make model first')\n"})
    done = packaged(context(package.write(tmp_path / "theirs"), tmp_path / "context"), package, tmp_path / "ours", "")
    assert done.returncode == 1
    assert "no model: run make model first" in done.stderr
    assert done.stderr.splitlines()[-1] == "package: the build of the package failed; its output is above"


ASKED = Package(
    {
        "setup.py": "from setuptools import setup\nsetup(name='our-pkg', version='1.0', packages=['our_pkg'],"
        " setup_requires=['six'])\n",
        "our_pkg/__init__.py": "",
    }
)
"""A package whose build names a further requirement only when it is asked."""

TOOLS = {**PACKAGES, "setup_requires": ASKED}
SAMPLE = ["setup_requires", "build hook"]


def with_tools(package: Package, folder: Path) -> Path:
    """Return what a build receives of a package whose build tools are locked."""
    given = context(package.write(folder / "theirs"), folder / "context")
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    command = [sys.executable, "-B", "docker/build_requirements.py", f"./{package.folder}", folder / "tools.txt"]
    done = run(command, cwd=given, env={**os.environ, "PATH": path})
    assert done.returncode == 0, done.stdout + done.stderr
    shutil.copy(folder / "tools.txt", given / "docker/build-requirements.txt")
    return given


@pytest.mark.parametrize(
    "name", [pytest.param(each, marks=[] if each in SAMPLE else [pytest.mark.exhaustive]) for each in TOOLS]
)
def test_every_build_tool_is_checked_by_its_hash(name: str, tmp_path: Path) -> None:
    package = TOOLS[name]
    given = with_tools(package, tmp_path)
    done = packaged(given, package, tmp_path / "ours", package.tag)
    assert done.returncode == 0, done.stdout + done.stderr
    assert done.stderr == ""
    (wheel,) = (tmp_path / "ours").glob("*.whl")
    assert wheel.name.startswith(f"our_pkg-{package.version}-")
    tools = given / "docker/build-requirements.txt"
    held = tools.read_text()
    for wrong, reason in {
        re.sub("(?<=sha256:)[0-9a-f]{8}", "00000000", held): "hash mismatch",
        re.sub(r"(?m)^\S.*\n(?:[ ]+--hash.*\n)+", "", held, count=1): "no trusted hash was provided",
    }.items():
        tools.write_text(wrong)
        done = packaged(given, package, tmp_path / "wrong", package.tag)
        assert done.returncode == 1
        assert reason in done.stderr.lower()
    assert not list(tmp_path.glob("wrong/*.whl"))


def test_build_tools_of_other_requirements_are_refused_in_one_line(tmp_path: Path) -> None:
    package = PACKAGES["manifest"]
    given = with_tools(package, tmp_path)
    manifest = given / "pyproject.toml"
    manifest.write_text(manifest.read_text().replace('"setuptools"', '"setuptools>=62"'))
    done = packaged(given, package, tmp_path / "ours", "")
    assert done.returncode == 1
    assert done.stderr.count("\n") == 1
    assert "docker/build-requirements.txt is out of date" in done.stderr


def test_build_tools_that_are_not_locked_are_reported(tmp_path: Path) -> None:
    package = PACKAGES["manifest"]
    given = context(package.write(tmp_path / "theirs"), tmp_path / "context")
    done = packaged(given, package, tmp_path / "ours", "")
    assert done.returncode == 0
    assert done.stderr.count("\n") == 1
    assert "build tools are not checked" in done.stderr


@pytest.mark.parametrize(
    "described,version",
    {
        "1.2": "1.2",
        "v1.2.3": "1.2.3",
        "release/2024.01": "2024.01",
        "our-pkg-1.0-beta.2": "1.0b2",
        "1.0c1": "1.0rc1",
        "1.0-1": "1.0.post1",
        "v1.2.3-5-gabc1234": "1.2.4.dev5+gabc1234",
        "v1.0rc1-1-gabc1234-dirty": "1.0rc2.dev1+gabc1234.dirty",
        "v1.2.3-0-gabc1234": "1.2.3",
        "1!2.0.post3.dev4+cu-118": "1!2.0.post3.dev4+cu.118",
    }.items(),
)
def test_a_description_by_git_becomes_a_version(described: str, version: str) -> None:
    code = f"import source; print(source.release({described!r}))"
    done = run([sys.executable, "-B", "-c", code], cwd=SCRIPTS)
    assert done.stdout.strip() == version, done.stderr
