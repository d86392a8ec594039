"""Locking reads what the repository's own installation reads, without an engine."""

import hashlib
import os
import subprocess
import sys
import tomllib
from collections.abc import Callable
from pathlib import Path
from tempfile import mkdtemp

import pytest

from tests.answers import TABLE, Answer
from tests.conftest import rows
from tests.existing_code.packages import INIT, SCM, Package, pyproject
from tests.existing_code.repositories import add_containers
from tests.program import run
from tests.releases import commit, git

DYNAMIC = '[tool.setuptools.dynamic]\ndependencies = {file = ["requirements/base.txt"]}\n'
OPTIONAL = '[project.optional-dependencies]\nfast = ["iniconfig"]\nall = ["our-pkg[fast]"]\n'

Given = Callable[..., Path]


@pytest.fixture
def given(template: Path, tmp_path: Path) -> Given:
    """Return a function that writes a repository and adds containers to it."""

    def given(files: dict[str, str | bytes], **answers: Answer) -> Path:
        folder = Package({name: text for name, text in files.items() if isinstance(text, str)}).write(
            tmp_path / "theirs"
        )
        for name, raw in files.items():
            if isinstance(raw, bytes):
                (folder / name).parent.mkdir(exist_ok=True)
                (folder / name).write_bytes(raw)
        commit(folder, "More")
        usual = {"code_paths": ["our_pkg"], "torch_version": "none", "test_command": ""}
        done = add_containers(template, folder, **{**usual, **answers})
        assert done.returncode == 0, done.stderr
        commit(folder, "Add containers")
        return folder

    return given


def lock(folder: Path, *arguments: str | Path, **environment: str) -> subprocess.CompletedProcess[str]:
    """Run docker/lock.py, with uv from the tools of this repository."""
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    command = [sys.executable, "-B", "docker/lock.py", *arguments]
    return run(command, cwd=folder, env={**os.environ, "PATH": path, **environment})


def locked(folder: Path) -> tuple[set[str], set[str]]:
    """Write the locks into a repository, which must stay as it is otherwise; return the names of their packages."""
    before = git(folder, "status", "--porcelain", "--ignored")
    places = Path(mkdtemp(dir=folder.parent)) / "locks"
    done = lock(folder, "write", places)
    assert done.returncode == 0, done.stderr
    assert git(folder, "status", "--porcelain", "--ignored") == before
    names = []
    for name in ("pylock.toml", "pylock.dev.toml"):
        (folder / "docker" / name).write_bytes((places / name).read_bytes())
        names.append({each["name"] for each in tomllib.loads((places / name).read_text()).get("packages", [])})
    assert lock(folder, "check", "docker/pylock.toml").returncode == 0
    return names[0], names[1]


def stale(folder: Path, path: str, more: str = "attrs") -> None:
    """Add a line to a file, which must make the lock stale."""
    with (folder / path).open("a") as file:
        file.write(f"\n{more}\n")
    done = lock(folder, "check", "docker/pylock.toml")
    assert done.returncode == 1
    assert done.stderr.startswith(f"docker/pylock.toml is out of date: {path} has changed. ")


def test_dependencies_in_another_file_are_locked_and_grow_stale_with_it(given: Given) -> None:
    files = {
        "pyproject.toml": pyproject('"setuptools"', 'version = "1.0"\ndynamic = ["dependencies"]', DYNAMIC),
        "requirements/base.txt": "iniconfig\nsix\n",
        **INIT,
    }
    folder = given(files, requirements_file="pyproject.toml", install="yes")
    assert locked(folder) == ({"iniconfig", "six"},) * 2
    stale(folder, "requirements/base.txt")


def test_a_setup_script_is_run_and_the_lock_grows_stale_with_what_it_reads(given: Given) -> None:
    read = "open('deps/all.txt').read().split()"
    script = f"from setuptools import setup\nsetup(packages=['our_pkg'], install_requires={read})\n"
    files = {
        "pyproject.toml": pyproject('"setuptools"', 'version = "1.0"\ndynamic = ["dependencies"]'),
        "setup.py": script,
        "deps/all.txt": "six\n",
        **INIT,
    }
    folder = given(files, requirements_file="pyproject.toml", install="yes")
    assert locked(folder)[0] == {"six"}
    stale(folder, "deps/all.txt")
    git(folder, "checkout", "--quiet", "deps/all.txt")
    stale(folder, "setup.py", "print()")


def test_a_file_of_the_lock_that_is_gone_makes_it_stale(given: Given) -> None:
    folder = given(
        {"requirements.txt": "-r more.txt\n", "more.txt": "six\n", **INIT}, requirements_file="requirements.txt"
    )
    locked(folder)
    (folder / "more.txt").unlink()
    done = lock(folder, "check", "docker/pylock.toml")
    assert done.returncode == 1
    assert "more.txt has changed" in done.stderr


def test_a_version_from_git_is_not_needed_to_lock(given: Given) -> None:
    project = 'dynamic = ["dependencies", "version"]'
    files = {
        "pyproject.toml": pyproject('"setuptools", "setuptools-scm"', project, DYNAMIC + "[tool.setuptools_scm]\n"),
        "requirements/base.txt": "six\n",
        **INIT,
    }
    assert locked(given(files, requirements_file="pyproject.toml", install="yes"))[0] == {"six"}


def test_a_group_that_names_the_package_gets_its_extra_and_no_namesake(given: Given) -> None:
    groups = OPTIONAL + '[dependency-groups]\ndev = ["our-pkg[all]", "six"]\n'
    files = {"pyproject.toml": pyproject('"setuptools"', 'version = "1.0"', groups), **INIT}
    folder = given(files, requirements_file="pyproject.toml", requirements_dev="group:dev", install="yes")
    assert locked(folder) == (set(), {"iniconfig", "six"})


def test_tests_have_the_requirements_of_several_files_extras_and_groups(given: Given) -> None:
    extra = '[project.optional-dependencies]\ndev = ["iniconfig"]\n[dependency-groups]\ntest = ["pluggy"]\n'
    files = {
        "pyproject.toml": pyproject('"setuptools"', 'version = "1.0"\ndependencies = ["six"]', extra),
        "requirements/tests.txt": "colorama\n",
        **INIT,
    }
    tests = ["extra:dev", "group:test", "requirements/tests.txt"]
    folder = given(files, requirements_file="pyproject.toml", requirements_dev=tests, install="yes")
    assert locked(folder) == ({"six"}, {"colorama", "iniconfig", "pluggy", "six"})


@pytest.mark.parametrize(
    "place",
    rows(
        [
            ("-e .[fast]", "backend/"),
            ("--editable=.[all]", ""),
            (".[fast]", ""),
            ("our-pkg[fast]", "backend/"),
            ("Our_Pkg [fast]", ""),
        ],
        [("-e .[fast]", "backend/"), ("Our_Pkg [fast]", "")],
    ),
    ids="".join,
)
def test_requirements_that_name_the_package_get_its_extra_and_no_namesake(given: Given, place: tuple[str, str]) -> None:
    line, below = place
    files = {
        "pyproject.toml": pyproject(
            '"setuptools"', SCM, OPTIONAL + '[tool.setuptools]\npackages = ["our_pkg"]\n'
        ).replace('"setuptools"]', '"setuptools", "setuptools-scm"]'),
        "requirements.txt": "six\n",
        "requirements-dev.txt": f"-r requirements.txt\n{line}\n",
        **INIT,
    }
    answers: dict[str, Answer] = {"requirements_file": f"{below}requirements.txt", "working_folder": below.rstrip("/")}
    answers["requirements_dev"] = f"{below}requirements-dev.txt"
    folder = given({f"{below}{name}": text for name, text in files.items()} | INIT, install="yes", **answers)
    assert locked(folder) == ({"six"}, {"iniconfig", "six"})


def test_torch_is_locked_only_if_the_code_or_a_requirement_needs_it(given: Given) -> None:
    answers: dict[str, Answer] = {"torch_version": TABLE["default"]["torch"], "torch_index": "http://127.0.0.1:1/none"}
    folder = given({"requirements.txt": "six\n", **INIT}, requirements_file="requirements.txt", **answers)
    assert locked(folder) == ({"six"},) * 2
    assert "docker/torch" not in (folder / "docker/pylock.toml").read_text()
    (folder / "our_pkg/__init__.py").write_text("import torch.nn\n")
    done = lock(folder, "write", folder.parent / "more")
    assert done.returncode == 1
    assert "http://127.0.0.1:1/none/cpu/torch/" in done.stderr


@pytest.mark.parametrize("server,lacking", {"uvicorn": "uvicorn", "gunicorn-uvicorn": "gunicorn and uvicorn"}.items())
def test_an_api_without_its_server_is_refused_in_one_line(given: Given, server: str, lacking: str) -> None:
    answers = {"api_app": "our_pkg:app", "api_server": server, "test_command": ""}
    folder = given({"requirements.txt": "six\n", **INIT}, requirements_file="requirements.txt", **answers)
    done = lock(folder, "write", folder.parent / "locks")
    assert done.returncode == 1
    assert done.stderr.count("\n") == 1
    assert f"{lacking}, which requirements.txt does not list" in done.stderr
    (folder / "requirements.txt").write_text("uvicorn\ngunicorn\n")
    assert {"gunicorn", "uvicorn"} <= locked(folder)[0]


def test_the_runner_of_the_tests_is_locked_for_development_though_nothing_lists_it(given: Given) -> None:
    files = {"requirements.txt": "six\n", **INIT}
    production, development = locked(
        given(files, requirements_file="requirements.txt", test_command="python -m pytest")
    )
    assert production == {"six"}
    assert "pytest" in development


def test_the_runner_of_the_tests_has_the_version_that_the_repository_lists(given: Given) -> None:
    files = {"requirements.txt": "six\n", "tests.txt": "pytest<8\n", **INIT}
    folder = given(files, requirements_file="requirements.txt", requirements_dev=["tests.txt"], test_command="pytest")
    locked(folder)
    lock = tomllib.loads((folder / "docker/pylock.dev.toml").read_text())
    (version,) = (each["version"] for each in lock["packages"] if each["name"] == "pytest")
    assert version.startswith("7.")


SETUP_PY = """
from pathlib import Path
from setuptools import setup

setup(
    name="our-pkg",
    version="1.0",
    long_description=Path("README.md").read_text(),
    packages=["our_pkg"],
    install_requires=["six"],
    extras_require={"test": ["iniconfig"]},
)
"""
STUB = "from setuptools import setup\nsetup()\n"
SETUP_CFG = """
[metadata]
name = our-pkg
[options]
packages = our_pkg
install_requires = six
[options.extras_require]
test = iniconfig
"""


@pytest.mark.parametrize("name,text", {"setup.py": SETUP_PY, "setup.cfg": SETUP_CFG}.items())
@pytest.mark.parametrize("install", rows(["yes", "no"], ["yes"]))
def test_dependencies_of_setuptools_are_locked_and_grow_stale(given: Given, name: str, text: str, install: str) -> None:
    answers: dict[str, Answer] = {"requirements_file": name, "requirements_dev": ["extra:test"], "install": install}
    folder = given({"setup.py": STUB, name: text, "README.md": "Ours\n", **INIT}, **answers)
    assert locked(folder) == ({"six"}, {"six", "iniconfig"})
    (folder / name).write_text(text.replace("six", "attrs"))
    done = lock(folder, "check", "docker/pylock.toml")
    assert done.returncode == 1
    assert done.stderr.startswith(f"docker/pylock.toml is out of date: {name} has changed. ")


OF_TOOLS = {
    "poetry": '[tool.poetry.dev-dependencies]\niniconfig = "^2.0"\n',
    "pdm": '[tool.pdm.dev-dependencies]\ndev = ["iniconfig>=2"]\n',
}


@pytest.mark.parametrize("tool", OF_TOOLS)
def test_groups_in_a_table_of_a_tool_are_locked_and_grow_stale(given: Given, tool: str) -> None:
    manifest = '[project]\nname = "our-pkg"\nversion = "1.0"\ndependencies = ["six"]\n' + OF_TOOLS[tool]
    folder = given(
        {"pyproject.toml": manifest, **INIT}, requirements_file="pyproject.toml", requirements_dev=["group:dev"]
    )
    assert locked(folder) == ({"six"}, {"six", "iniconfig"})
    (folder / "pyproject.toml").write_text(manifest.replace("iniconfig", "attrs"))
    done = lock(folder, "check", "docker/pylock.dev.toml")
    assert done.returncode == 1
    assert done.stderr.startswith("docker/pylock.dev.toml is out of date: pyproject.toml has changed. ")


UNRELATED = {
    "pyproject.toml": "[tool.ruff]\nline-length = 120\n",
    "setup.cfg": "[flake8]\nmax-line-length = 120\n",
    "requirements/base.txt": "# a comment\n",
}
"""A file -> lines of it that no dependency follows from."""


def test_an_edit_that_no_dependency_follows_from_leaves_the_lock_up_to_date(given: Given) -> None:
    files = {
        "pyproject.toml": pyproject('"setuptools"', 'version = "1.0"\ndynamic = ["dependencies"]', DYNAMIC),
        "setup.cfg": "[options]\nzip_safe = no\n",
        "requirements/base.txt": "six\n",
        **INIT,
    }
    folder = given(files, requirements_file="pyproject.toml", install="yes")
    locked(folder)
    for name, more in UNRELATED.items():
        (folder / name).write_text(f"{(folder / name).read_text()}\n{more}")
    done = lock(folder, "check", "docker/pylock.toml")
    assert done.returncode == 0, done.stderr
    assert "line-length" in (folder / "pyproject.toml").read_text()
    stale(folder, "setup.cfg", "[options.extras_require]\nfast = attrs")


def test_a_renewed_lock_keeps_the_versions_that_still_fit(given: Given) -> None:
    folder = given({"requirements.txt": "six==1.15.0\n", **INIT}, requirements_file="requirements.txt")

    def version(**environment: str) -> str:
        places = Path(mkdtemp(dir=folder.parent)) / "locks"
        done = lock(folder, "write", places, **environment)
        assert done.returncode == 0, done.stderr
        (found,) = [e for e in tomllib.loads((places / "pylock.toml").read_text())["packages"] if e["name"] == "six"]
        return found["version"]

    locked(folder)
    (folder / "requirements.txt").write_text("six\niniconfig\n")
    assert version() == "1.15.0"
    assert version(UPGRADE="iniconfig") == "1.15.0"
    assert version(UPGRADE="six iniconfig") == version(UPGRADE="all") != "1.15.0"
    (folder / "requirements.txt").write_text("six>1.15\n")
    assert version() != "1.15.0"


def test_a_lock_of_an_older_release_stays_up_to_date(given: Given) -> None:
    folder = given({"requirements.txt": "# ours\nsix\n", **INIT}, requirements_file="requirements.txt")
    noted = hashlib.sha256(b"# ours\nsix").hexdigest()[:16]  # of every line, as releases before 0.5.0 noted
    (folder / "docker/pylock.toml").write_text(f'# Made from requirements.txt {noted}\nlock-version = "1.0"\n')
    assert lock(folder, "check", "docker/pylock.toml").returncode == 0
    stale(folder, "requirements.txt")


LATER = f"3.{sys.version_info.minor + 1}"
STATED = {
    "pyproject.toml": pyproject('"setuptools"', f'version = "1.0"\nrequires-python = ">={LATER}"'),
    "poetry": f'[tool.poetry]\nname = "our-pkg"\n[tool.poetry.dependencies]\npython = "^{LATER} || ^4.0"\n',
    "setup.cfg": f"[options]\npython_requires = >={LATER}\n",
    "setup.py": f"from setuptools import setup\nsetup(python_requires='>={LATER}')\n",
}
"""A file -> a text of it that asks for a later Python than the image has."""


@pytest.mark.parametrize("file", rows(STATED, ["poetry"]))
def test_a_python_that_the_package_does_not_run_on_is_refused_in_one_line(given: Given, file: str) -> None:
    name = "pyproject.toml" if file == "poetry" else file
    folder = given({name: STATED[file], "requirements.txt": "six\n", **INIT}, requirements_file="requirements.txt")
    done = lock(folder, "write", folder.parent / "locks")
    assert done.returncode == 1
    assert done.stderr.count("\n") == 1
    assert name in done.stderr and f"--data python_version={LATER}" in done.stderr
    (folder / name).write_text(STATED[file].replace(LATER, "3.8"))
    assert locked(folder)[0] == {"six"}


def test_another_folder_is_refused_in_one_line(given: Given) -> None:
    other = {f"libs/other/{name}": text for name, text in INIT.items()}
    other["libs/other/pyproject.toml"] = pyproject('"setuptools"', 'version = "1.0"').replace("our-pkg", "other")
    folder = given({"requirements.txt": "./libs/other\n", **INIT, **other}, requirements_file="requirements.txt")
    done = lock(folder, "write", folder.parent / "locks")
    assert done.returncode == 1
    assert done.stderr.count("\n") == 1
    assert "libs/other" in done.stderr


def windows(text: str) -> str:
    """Return a text with the line breaks of Windows."""
    return text.replace("\n", "\r\n")


def appended(text: str) -> bytes:
    """Return a text whose first line is UTF-8, to which PowerShell appended the others."""
    first, *others = text.splitlines(keepends=True)
    return first.encode() + "".join(others).encode("utf-16-le")


CAFE = "# Café\n"
REQUIREMENTS = f"{CAFE}-r more.txt\niniconfig ; python_version >= '3'  # bé\n"
CONDA = f"{CAFE}dependencies:\n  - python=3.11\n  - six=1.17\n  - pip:\n    - iniconfig\n"


def encodings(text: str) -> dict[str, bytes]:
    """Return the bytes that systems and editors write for a text."""
    return {
        "windows": windows(text).encode(),
        "utf-8 with a mark": windows(text).encode("utf-8-sig"),
        "utf-16 with a mark": windows(text).encode("utf-16"),
        "utf-16 big-endian": b"\xfe\xff" + text.encode("utf-16-be"),
        "utf-16 without a mark": text.encode("utf-16-le"),
        "utf-16 after utf-8": appended(text),
        "latin-1": text.encode("latin-1"),
        "old macintosh": text.replace("\n", "\r").encode(),
    }


@pytest.mark.parametrize("encoding", rows(encodings(CAFE), ["windows", "utf-16 without a mark"]))
def test_requirements_are_read_in_any_encoding(given: Given, encoding: str) -> None:
    files = {
        "requirements.txt": encodings(REQUIREMENTS)[encoding],
        "more.txt": encodings(f"{CAFE}six\n")[encoding],
        "requirements-dev.txt": encodings(f"{CAFE}-r requirements.txt\npluggy\n")[encoding],
        **INIT,
    }
    folder = given(files, requirements_file="requirements.txt", requirements_dev="requirements-dev.txt")
    assert locked(folder) == ({"iniconfig", "six"}, {"iniconfig", "pluggy", "six"})
    (folder / "more.txt").write_bytes(f"{CAFE}six\n".encode())  # the same text
    assert lock(folder, "check", "docker/pylock.toml").returncode == 0


@pytest.mark.parametrize("encoding", rows(["utf-8 with a mark", "utf-16 with a mark", "latin-1"], ["latin-1"]))
def test_a_manifest_is_read_in_any_encoding(given: Given, encoding: str) -> None:
    groups = '[dependency-groups]\ndev = ["iniconfig"]\n'
    project = 'version = "1.0"\ndynamic = ["dependencies"]\ndescription = "Café"'
    files = {
        "pyproject.toml": encodings(CAFE + pyproject('"setuptools"', project, DYNAMIC + groups))[encoding],
        "requirements/base.txt": encodings(f"{CAFE}six\n")[encoding],
        **INIT,
    }
    folder = given(files, requirements_file="pyproject.toml", requirements_dev="group:dev", install="yes")
    assert locked(folder) == ({"six"}, {"iniconfig", "six"})


@pytest.mark.parametrize("encoding", rows(encodings(CAFE), ["utf-8 with a mark"]))
def test_a_conda_environment_is_read_in_any_encoding(given: Given, encoding: str) -> None:
    folder = given({"environment.yml": encodings(CONDA)[encoding], **INIT}, requirements_file="environment.yml")
    assert locked(folder)[0] == {"iniconfig", "six"}
    done = run([sys.executable, "-B", "docker/conda_requirements.py", "environment.yml"], cwd=folder)
    assert done.stdout.split() == ["six==1.17.*", "iniconfig"]
