"""Libraries of the system that imports lack: the build stops with a line, and `doctor` fails, without an engine."""

import ctypes
import json
import os
import subprocess
import sys
from importlib.machinery import EXTENSION_SUFFIXES
from pathlib import Path

import pytest

from tests.conftest import need_program
from tests.existing_code.repositories import given
from tests.program import run

UNKNOWN = "libofnobody.so.7"


@pytest.fixture(scope="module")
def scripts(template: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return the folder docker of a repository."""
    return given(template, "requirements-only", tmp_path_factory.mktemp("scripts") / "theirs") / "docker"


@pytest.fixture(scope="module")
def absent(scripts: Path) -> dict[str, str]:
    """Return two libraries of the table that this machine lacks, with their packages."""
    shown = "import json; from doctor.imports import SYSTEM; print(json.dumps(dict(SYSTEM)))"
    table = json.loads(python(scripts, Path(), "-c", shown).stdout)
    return dict([each for each in table.items() if not is_there(each[0])][-2:])


def is_there(library: str) -> bool:
    """Return whether this machine has a library."""
    try:
        ctypes.CDLL(library)
    except OSError:
        return False
    return True


def python(scripts: Path, site: Path, *arguments: str | Path) -> subprocess.CompletedProcess[str]:
    """Run Python with the scripts and with the distributions in a folder."""
    path = os.pathsep.join(map(str, (scripts, site)))
    return run([sys.executable, "-P", "-B", *arguments], env={**os.environ, "PYTHONPATH": path})


def distribution(site: Path, name: str, files: dict[str, str | bytes]) -> None:
    """Install a distribution that consists of these files."""
    metadata = site / f"{name.replace('-', '_')}-1.0.dist-info"
    for path, content in files.items():
        (site / path).parent.mkdir(parents=True, exist_ok=True)
        (site / path).write_bytes(content if isinstance(content, bytes) else content.encode())
    metadata.mkdir(parents=True)
    (metadata / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {name}\nVersion: 1.0\n")
    (metadata / "RECORD").write_text("".join(f"{path},,\n" for path in files))


def loading(site: Path, name: str, library: str) -> None:
    """Install a distribution that loads a library, with the real loader's error if it is missing."""
    distribution(site, name, {f"{name.replace('-', '_')}.py": f"import ctypes\nctypes.CDLL({library!r})\n"})


def linked(folder: Path, libraries: list[str]) -> bytes:
    """Return a shared object that is linked with libraries, which are gone afterwards."""
    compiler = need_program("cc")
    (folder / "empty.c").write_text("")
    for library in libraries:
        made = run([compiler, "-shared", f"-Wl,-soname,{library}", "empty.c", "-o", library], cwd=folder)
        assert made.returncode == 0, made.stderr
    made = run([compiler, "-shared", "-Wl,--no-as-needed", "empty.c", *libraries, "-o", "native"], cwd=folder)
    assert made.returncode == 0, made.stderr
    for library in libraries:
        (folder / library).unlink()
    return (folder / "native").read_bytes()


def compiled(scripts: Path, site: Path, code: str, folder: Path) -> subprocess.CompletedProcess[str]:
    """Do what the build does: list the imports of the code, import them and keep their bytecode."""
    (folder / "code").mkdir()
    (folder / "code/main.py").write_text(code)
    listed = python(scripts, site, scripts / "precompile.py", "names", folder / "code")
    assert listed.returncode == 0, listed.stderr
    (folder / "imports").write_text(listed.stdout)
    cache = f"pycache_prefix={folder / 'cache'}"
    path = os.pathsep.join(map(str, (scripts, site)))
    command = [sys.executable, "-X", cache, scripts / "precompile.py", "compile", folder / "imports", folder / "kept"]
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}
    return run(command, env={**environment, "PYTHONPATH": path})


def checked(scripts: Path, site: Path, listed: Path, code: Path) -> dict[str, str]:
    """Return what `doctor` finds, by the list of a production image or by the code."""
    program = """
import json, sys
from dataclasses import asdict
from pathlib import Path
from doctor import Context, imports
imports.LIST, imports.CODE = map(Path, sys.argv[1:])
print(json.dumps(asdict(imports.system_libraries(Context()))))
"""
    done = python(scripts, site, "-c", program, listed, code)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def test_a_build_stops_with_a_line_that_names_all_that_is_missing(
    scripts: Path, absent: dict[str, str], tmp_path: Path
) -> None:
    native = f"deep_thing/_native{EXTENSION_SUFFIXES[0]}"
    files = {"deep_thing/__init__.py": "from . import _native\n", native: linked(tmp_path, [*absent, UNKNOWN])}
    site = tmp_path / "site"
    distribution(site, "Deep-Thing", files)
    distribution(site, "upper-thing", {"upper_thing.py": "import deep_thing\n"})
    done = compiled(scripts, site, "import upper_thing\nimport json\nimport upper_thing.part\n", tmp_path)
    assert done.returncode == 1
    (first, one), (second, other) = absent.items()
    assert done.stderr.splitlines()[-1] == (
        f"precompile: Deep-Thing needs {first}, {second}, {UNKNOWN} of the system: "
        f"add {one} and {other} and the package that has {UNKNOWN} to docker/packages.txt"
    )
    assert done.stderr.count("precompile: Deep-Thing") == 1
    assert not (tmp_path / "kept").exists()
    for listed in (tmp_path / "imports", tmp_path / "none"):
        found = checked(scripts, site, listed, tmp_path / "code")
        assert (found["check"], found["state"]) == ("system libraries", "fail")
        assert found["found"] == f"Deep-Thing needs {first}, {second}, {UNKNOWN} of the system"
        assert found["fix"].startswith(f"add {one} and {other} and ")
        assert found["fix"].endswith("to docker/packages.txt, and rebuild the image")


@pytest.mark.parametrize(
    ("code", "is_needed"),
    [
        ("import lacking_thing\n", True),
        ("def late():\n    from lacking_thing import name\n", True),
        ("try:\n    import lacking_thing\nexcept ImportError:\n    lacking_thing = None\nimport lacking_thing\n", True),
        ("try:\n    import lacking_thing\nexcept OSError as error:\n    raise SystemExit(1) from error\n", True),
        ("try:\n    import lacking_thing\nexcept KeyError:\n    pass\n", True),
        ("try:\n    pass\nexcept ImportError:\n    import lacking_thing\n", True),
        ("try:\n    import lacking_thing\nexcept (KeyError, OSError):\n    lacking_thing = None\n", False),
        ("try:\n    import lacking_thing\nexcept:\n    pass\n", False),
        ("import contextlib\nwith contextlib.suppress(Exception):\n    import lacking_thing\n", False),
        ("import typing\nif typing.TYPE_CHECKING:\n    import lacking_thing\n", False),
    ],
)
def test_only_what_the_code_needs_stops_a_build(
    code: str, is_needed: bool, scripts: Path, absent: dict[str, str], tmp_path: Path
) -> None:
    library, package = next(iter(absent.items()))
    loading(tmp_path / "site", "lacking-thing", library)
    done = compiled(scripts, tmp_path / "site", code, tmp_path)
    line = f"lacking-thing needs {library} of the system: add {package} to docker/packages.txt"
    assert done.returncode == is_needed, done.stderr
    start = "precompile: " if is_needed else "precompile: skipped lacking_thing: the code can do without it, but "
    assert done.stderr.splitlines() == [start + line]
    found = checked(scripts, tmp_path / "site", tmp_path / "imports", tmp_path)
    assert found["state"] == ("fail" if is_needed else "warn")


@pytest.mark.parametrize(
    "library",
    ["libcuda.so.1", "libnvidia-ml.so.1", "libcudart.so.12", "libcudnn.so.9", "libamdhip64.so.6", "libtorch_cuda.so"],
)
def test_a_library_of_a_gpu_is_skipped_with_a_line(library: str, scripts: Path, tmp_path: Path) -> None:
    if is_there(library):
        pytest.skip(f"this machine has {library}")
    loading(tmp_path / "site", "gpu-thing", library)
    loading(tmp_path / "site", "other-thing", UNKNOWN)
    code = "import gpu_thing\ntry:\n    import other_thing\nexcept OSError:\n    pass\n"
    done = compiled(scripts, tmp_path / "site", code, tmp_path)
    assert done.returncode == 0, done.stderr
    line = f"gpu-thing needs {library}, which comes with a GPU"
    assert done.stderr.splitlines()[0] == f"precompile: skipped gpu_thing: {line}"
    found = checked(scripts, tmp_path / "site", tmp_path / "imports", tmp_path)
    assert found["state"] == "warn" and found["found"].startswith(f"{line}; other-thing needs {UNKNOWN}")


def test_a_library_of_a_distribution_is_none_of_the_system(scripts: Path, tmp_path: Path) -> None:
    loading(tmp_path / "site", "after-thing", UNKNOWN)
    distribution(tmp_path / "site", "holder", {"holder/__init__.py": "", f"holder/lib/{UNKNOWN}": b""})
    done = compiled(scripts, tmp_path / "site", "import after_thing, holder, never_installed\n", tmp_path)
    assert done.returncode == 0, done.stderr
    assert "skipped after_thing: OSError: " in done.stderr
    assert "skipped never_installed: ModuleNotFoundError: " in done.stderr
    kept = [path.relative_to(tmp_path / "kept") for path in (tmp_path / "kept").rglob("*.pyc")]
    assert [path for path in kept if "holder" in path.parts]
    assert [path for path in kept if "doctor" in path.parts] == []
    found = checked(scripts, tmp_path / "site", tmp_path / "imports", tmp_path)
    assert (found["state"], found["found"]) == ("ok", "none missing")


@pytest.mark.parametrize(
    ("words", "package"),
    [
        ("PortAudio library not found", "libportaudio2"),
        ("Unable to find zbar shared library", "libzbar0t64"),
        ("failed to find libmagic.  Check your installation", "libmagic1t64"),
    ],
)
def test_libraries_that_errors_name_in_their_own_words(words: str, package: str, scripts: Path, tmp_path: Path) -> None:
    distribution(tmp_path / "site", "wordy", {"wordy.py": f"raise OSError({words!r})\n"})
    done = compiled(scripts, tmp_path / "site", "import wordy\n", tmp_path)
    assert done.returncode == 1
    assert done.stderr.endswith(f"add {package} to docker/packages.txt\n")


def test_an_import_that_ends_the_program_fails_the_check(scripts: Path, tmp_path: Path) -> None:
    distribution(tmp_path / "site", "crash", {"crash.py": "import os, signal\nos.kill(os.getpid(), signal.SIGSEGV)\n"})
    (tmp_path / "imports").write_text("crash\n")
    found = checked(scripts, tmp_path / "site", tmp_path / "imports", tmp_path)
    assert (found["state"], found["found"]) == ("fail", "an import ended the program: SIGSEGV")


def test_environments_beside_the_code_are_none_of_its_imports(scripts: Path, tmp_path: Path) -> None:
    for folder in ("env", ".hidden", "node_modules"):
        (tmp_path / folder / "cv2").mkdir(parents=True)
        (tmp_path / folder / "cv2/__init__.py").write_text("import of_an_environment\n")
    (tmp_path / "env/pyvenv.cfg").write_text("")
    (tmp_path / "mine.py").write_text("import cv2, mine, json\n")
    done = python(scripts, Path(), scripts / "precompile.py", "names", tmp_path)
    assert done.stdout == "cv2\n"
