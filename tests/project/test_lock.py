"""torch comes from one place: what `make lock` writes, for each kind of machine, with uv and with pip.

The index is a local one with stub wheels, so that accelerators are tested whose wheels are large, or out of reach here;
programs, Makefile and all other packages are real.
"""

import json
import os
import platform
import re
import shutil
import sys
import tomllib
from collections.abc import Callable, Iterator
from itertools import product
from pathlib import Path
from typing import Any, NamedTuple

import pytest
from packaging.markers import Marker
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name
from pytest_copie.plugin import Copie

from tests.conftest import need, need_program
from tests.program import run
from tests.stub_index import LINUX_X86_64, StubIndex, Wheel, torch_wheels

pytestmark = pytest.mark.project

TORCH = "2.13.0"
PYTHON = "3.11"
HARDWARE = re.compile(r"nvidia|cuda|cupti|triton|rocm|pytorch")
"""Name of a package that only some accelerator needs."""


class Machine(NamedTuple):
    """A kind of computer: what uv calls it, and what environment markers see there."""

    target: str
    markers: dict[str, str]


def machine(target: str, system: str, processor: str) -> Machine:
    """A machine with the Python under test; ``system`` is ``sys_platform``."""
    names = {"linux": "Linux", "darwin": "Darwin", "win32": "Windows"}
    return Machine(
        target,
        {
            "sys_platform": system,
            "platform_system": names[system],
            "os_name": "nt" if system == "win32" else "posix",
            "platform_machine": processor,
            "python_version": PYTHON,
            "python_full_version": f"{PYTHON}.7",
            "implementation_name": "cpython",
            "platform_python_implementation": "CPython",
            "extra": "",
        },
    )


MACHINES = {
    "linux": machine("x86_64-unknown-linux-gnu", "linux", "x86_64"),
    "linux-arm": machine("aarch64-unknown-linux-gnu", "linux", "aarch64"),
    "macos": machine("aarch64-apple-darwin", "darwin", "arm64"),
    "windows": machine("x86_64-pc-windows-msvc", "win32", "AMD64"),
}
EVERYWHERE = {"linux": "+cpu", "linux-arm": "+cpu", "macos": "", "windows": "+cpu"}
BUILDS = {
    "cpu": EVERYWHERE,
    "cu130": EVERYWHERE | {"linux": "+cu130", "windows": "+cu130"},
    "rocm7.2": EVERYWHERE | {"linux": "+rocm7.2"},
}
"""accelerator -> machine -> local version of its torch, which also names the repository; none is the CPU's, too."""

PACKAGES = {"cpu": set(), "cu130": {"nvidia-nvtx"}, "rocm7.2": {"triton-rocm"}}
"""accelerator -> packages for it that Linux on x86-64 needs besides torch; other machines need none."""

Generate = Callable[..., Path]
Make = Callable[..., str]


@pytest.fixture(scope="module")
def environment(clean_environment: dict[str, str]) -> dict[str, str]:
    """The environment without this machine's own sources of packages."""
    dropped = ("PIP_FIND_LINKS", "PIP_EXTRA_INDEX_URL", "PIP_NO_INDEX", "MAKE", "MFLAGS")
    kept = {name: value for name, value in clean_environment.items() if not name.startswith(dropped)}
    return kept | {"PIP_CONFIG_FILE": os.devnull, "PIP_DISABLE_PIP_VERSION_CHECK": "1"}


@pytest.fixture(scope="module")
def index() -> Iterator[StubIndex]:
    """An index with every build of torch."""
    with StubIndex(torch_wheels(TORCH)) as index:
        yield index


@pytest.fixture(scope="module")
def generate(copie_session: Copie, template: Path) -> Generate:
    """Generates a project that gets torch from an index."""

    def generate(manager: str, accelerator: str, index: StubIndex) -> Path:
        answers = {
            "preset": "cli",
            "hf_task": "custom",
            "package_manager": manager,
            "torch_version": TORCH,
            "python_version": PYTHON,
            "accelerator": accelerator,
            "torch_index": f"{index.address}/whl",
        }
        result = copie_session.copy(extra_answers=answers, template_dir=template)
        assert result.exit_code == 0 and result.project_dir, repr(result.exception)
        return result.project_dir

    return generate


@pytest.fixture(scope="module")
def make(environment: dict[str, str]) -> Make:
    """Runs make in a project and returns what it wrote, after it succeeded, or failed if that is expected."""
    program = need_program("make")
    need_program(f"python{PYTHON}")

    def make(project: Path, *arguments: str, fails: bool = False, **variables: str) -> str:
        result = run([program, *arguments], cwd=project, env=environment | variables)
        output = result.stdout + result.stderr
        assert (result.returncode != 0) is fails, output
        return output

    return make


def depend(project: Path, dependencies: list[str], dev: list[str] | None = None) -> None:
    """Makes the project depend on nothing else than torch, what it requires for the accelerator, and these."""
    manifest = project / "pyproject.toml"
    text = manifest.read_text()
    own = [line for line in tomllib.loads(text)["project"]["dependencies"] if re.match("torch=|[a-z-]*triton", line)]
    assert own

    def replace(text: str, name: str, items: list[str]) -> str:
        lines = "".join(f"  {json.dumps(item)},\n" for item in items)
        text, count = re.subn(rf"(?ms)^{name} = \[\n.*?^\]", lambda _: f"{name} = [\n{lines}]", text)
        assert count == 1
        return text

    text = replace(text, "dependencies", [*own, *dependencies])
    manifest.write_text(text if dev is None else replace(text, "dev", dev))


def applies(requirement: Requirement, where: Machine) -> bool:
    """Whether a requirement is one for this machine."""
    return requirement.marker is None or requirement.marker.evaluate(dict(where.markers))


def hashes(index: StubIndex, version: str) -> set[str]:
    """The hashes of every wheel of a version of torch."""
    wheels = (wheel for wheel in index.files.values() if wheel.name == "torch" and wheel.version == version)
    return {f"sha256:{wheel.sha256}" for wheel in wheels}


def source(index: StubIndex, local: str) -> str:
    """Address of the repository that holds a build of torch."""
    return f"{index.address}/whl/{local.removeprefix('+') or 'cpu'}"


# uv


def uv_lock(project: Path) -> dict[str, Any]:
    """The lock of a project, read."""
    return tomllib.loads((project / "uv.lock").read_text())


def pins(project: Path) -> set[tuple[str, str]]:
    """Name and version of all that is locked, without torch and the project itself."""
    return {
        (package["name"], package["version"])
        for package in uv_lock(project)["package"]
        if "registry" in package["source"] and package["name"] != "torch"
    }


class Locked(NamedTuple):
    """A locked project and the index that torch is from."""

    accelerator: str
    path: Path
    index: StubIndex


@pytest.fixture(scope="module")
def uv_projects(generate: Generate, make: Make) -> Iterator[dict[str, Locked]]:
    """A locked project for each accelerator, each with an index of its own; they are only read."""
    need_program("uv")
    indexes = {accelerator: StubIndex(torch_wheels(TORCH)) for accelerator in BUILDS}
    with indexes["cpu"], indexes["cu130"], indexes["rocm7.2"]:
        projects = {name: Locked(name, generate("uv", name, index), index) for name, index in indexes.items()}
        for project in projects.values():
            make(project.path, "lock")
        yield projects


@pytest.fixture(params=BUILDS)
def uv_project(request: pytest.FixtureRequest, uv_projects: dict[str, Locked]) -> Locked:
    """Each of the locked projects."""
    return uv_projects[request.param]


def test_uv_locks_one_source_of_torch_for_each_machine(uv_project: Locked) -> None:
    accelerator, project, index = uv_project
    packages = uv_lock(project)["package"]
    (root,) = (package for package in packages if "editable" in package["source"])
    uses = [item for item in root["dependencies"] if item["name"] == "torch"]
    for name, where in MACHINES.items():
        local = BUILDS[accelerator][name]
        (use,) = (item for item in uses if "marker" not in item or Marker(item["marker"]).evaluate(dict(where.markers)))
        assert (use["version"], use["source"]) == (TORCH + local, {"registry": source(index, local)}), name
    torches = (package for package in packages if package["name"] == "torch")
    assert {(package["version"], package["source"]["registry"]) for package in torches} == {
        (TORCH + local, source(index, local)) for local in BUILDS[accelerator].values()
    }


def test_uv_locks_a_hash_of_every_file(uv_project: Locked) -> None:
    _, project, index = uv_project
    packages = uv_lock(project)["package"]
    for package in packages:
        files = [*package.get("wheels", []), *([package["sdist"]] if "sdist" in package else [])]
        assert files or "registry" not in package["source"], package
        assert all(re.fullmatch("sha256:[0-9a-f]{64}", file["hash"]) for file in files), package
        if package["name"] == "torch":
            assert {file["hash"] for file in files} <= hashes(index, package["version"])


def test_uv_asks_pytorchs_index_for_nothing_but_torch(uv_project: Locked) -> None:
    accelerator, _, index = uv_project
    pages = {path for path in index.requests if path.endswith("/")}
    expected = {f"/whl/{repository}/torch/" for repository in ("cpu", accelerator)}
    assert pages == expected | ({f"/whl/{accelerator}/triton-rocm/"} if accelerator == "rocm7.2" else set())


@pytest.mark.parametrize("name", MACHINES)
def test_uv_would_install_the_machines_own_build(uv_project: Locked, name: str, environment: dict[str, str]) -> None:
    accelerator, project, _ = uv_project
    command = ["uv", "sync", "--frozen", "--dry-run", "--python-platform", MACHINES[name].target]
    result = run([*command], cwd=project, env=environment)
    assert result.returncode == 0, result.stderr
    installed = dict(re.findall(r"^ \+ (\S+)==(\S+)$", result.stderr, re.MULTILINE))
    assert {"torch", "numpy", "pytest"} <= set(installed)
    assert installed.pop("torch") == TORCH + BUILDS[accelerator][name]
    wanted = PACKAGES[accelerator] if name == "linux" else set()
    assert {package for package in installed if HARDWARE.search(package)} == wanted


def test_uv_locks_the_same_again(uv_project: Locked, make: Make) -> None:
    _, project, _ = uv_project
    before = (project / "uv.lock").read_bytes()
    make(project, "lock")
    assert (project / "uv.lock").read_bytes() == before


def test_uv_keeps_what_is_locked_when_something_is_added(generate: Generate, make: Make, index: StubIndex) -> None:
    project = generate("uv", "cpu", index)
    depend(project, ["typing-extensions==4.12.2"])
    make(project, "lock")
    before, lock = pins(project), uv_lock(project)
    depend(project, ["typing-extensions>=4.12", "colorama"])
    make(project, "lock")
    assert ("typing-extensions", "4.12.2") in before
    assert before <= pins(project)
    assert [package for package in lock["package"] if package["name"] == "torch"] == [
        package for package in uv_lock(project)["package"] if package["name"] == "torch"
    ]


def test_uv_exchanges_only_torch_for_another_accelerator(generate: Generate, make: Make, index: StubIndex) -> None:
    old, new = generate("uv", "cpu", index), generate("uv", "cu130", index)
    depend(old, ["typing-extensions==4.12.2"])
    make(old, "lock")
    depend(new, ["typing-extensions>=4.12"])
    shutil.copy(old / "uv.lock", new)
    make(new, "lock")
    assert pins(old) <= pins(new)
    assert {name for name, _ in pins(new) - pins(old)} == PACKAGES["cu130"]
    versions = {package["version"] for package in uv_lock(new)["package"] if package["name"] == "torch"}
    assert versions == {TORCH + local for local in BUILDS["cu130"].values()}


@pytest.mark.parametrize(("accelerator", "missing"), [("cpu", "+cpu"), ("cu130", "+cu130")])
def test_uv_refuses_to_lock_without_the_build(generate: Generate, make: Make, accelerator: str, missing: str) -> None:
    with StubIndex(wheel for wheel in torch_wheels(TORCH) if wheel.version != TORCH + missing) as index:
        project = generate("uv", accelerator, index)
        depend(project, ["typing-extensions"])
        output = make(project, "lock", fails=True)
    assert f"torch=={TORCH}" in re.sub(r"\{.*?\}", "", output)
    assert not (project / "uv.lock").exists()


# pip


def requirements(path: Path) -> dict[str, tuple[Requirement, set[str]]]:
    """What a requirements file pins: name -> requirement and hashes. It must hold each name once, with a hash."""
    found: dict[str, tuple[Requirement, set[str]]] = {}
    for line in re.sub(r"\\\n", "", path.read_text()).splitlines():
        text = line.partition("    --hash=")[0].split(" #")[0]
        if not text.strip() or text.startswith(("#", "-")):
            continue
        requirement = Requirement(text)
        name = canonicalize_name(requirement.name)
        assert name not in found, f"{path.name}: {name} is there twice"
        found[name] = requirement, set(re.findall(r"--hash=(sha256:[0-9a-f]{64})(?!\S)", line))
        assert found[name][1], f"{path.name}: {name} has no hash"
        assert re.fullmatch(r"==[^,*]+", str(requirement.specifier)), line
    return found


def options(path: Path) -> list[str]:
    """The lines of a requirements file that are no requirements."""
    return [line for line in path.read_text().splitlines() if line.startswith("-")]


@pytest.fixture(scope="module")
def pip_project(generate: Generate, make: Make, index: StubIndex) -> Path:
    """A locked project for the CPU with most of what it depends on; it is only read.

    pip-tools may have to download every file of a package to hash it, so the packages with large files are left out.
    """
    need(
        (sys.platform, platform.machine()) == ("linux", "x86_64"),
        "pip locks for its own machine: needs Linux on x86-64",
    )
    project = generate("pip", "cpu", index)
    depend(project, dependencies_of(project), ["pytest>=8.4"])
    make(project, "lock")
    return project


def dependencies_of(project: Path) -> list[str]:
    """What the project depends on besides torch, and without large files."""
    found = tomllib.loads((project / "pyproject.toml").read_text())["project"]["dependencies"]
    return [line for line in found if not line.startswith(("torch=", "numpy", "scikit-learn"))]


@pytest.fixture
def small_pip_project(pip_project: Path, generate: Generate) -> Generate:
    """Generates a project with few dependencies, which is quick to lock: it borrows the environment with pip-tools."""

    def small(accelerator: str, index: StubIndex) -> Path:
        project = generate("pip", accelerator, index)
        depend(project, ["typing-extensions==4.12.2"], ["colorama"])
        (project / ".venv").symlink_to(pip_project / ".venv")
        return project

    return small


@pytest.mark.parametrize(("accelerator", "name"), [*product(BUILDS, MACHINES)])
def test_pip_requires_one_build_on_each_machine(
    generate: Generate, index: StubIndex, accelerator: str, name: str
) -> None:
    lines = (generate("pip", accelerator, index) / "requirements-torch.in").read_text().splitlines()
    found = [Requirement(line) for line in lines if line.startswith("torch")]
    local = BUILDS[accelerator][name]
    assert [str(line.specifier) for line in found if applies(line, MACHINES[name])] == [f"=={TORCH}{local}"]


def test_pip_locks_the_same_packages_as_uv(
    pip_project: Path, generate: Generate, make: Make, index: StubIndex, environment: dict[str, str]
) -> None:
    need_program("uv")
    twin = generate("uv", "cpu", index)
    depend(twin, dependencies_of(pip_project), ["pytest>=8.4"])
    make(twin, "lock")
    for file, group in {"requirements.txt": "--no-dev", "requirements-dev.txt": "--dev"}.items():
        command = ["uv", "export", "--frozen", "--no-hashes", "--no-emit-project", group]
        exported = run([*command], cwd=twin, env=environment).stdout.splitlines()
        wanted = [Requirement(line.split(" #")[0]) for line in exported if re.match("[a-z]", line)]
        names = {requirement.name for requirement in wanted if applies(requirement, MACHINES["linux"])}
        assert {"torch", "pydantic-settings"} < names
        assert set(requirements(pip_project / file)) == names, file


def test_pip_has_nothing_to_lock_right_after(pip_project: Path, make: Make) -> None:
    files = [pip_project / "requirements.txt", pip_project / "requirements-dev.txt"]
    before = [file.read_bytes() for file in files]
    make(pip_project, "lock")
    assert [file.read_bytes() for file in files] == before


@pytest.mark.parametrize("accelerator", BUILDS)
def test_pip_locks_and_installs_the_one_build_with_its_hashes(
    small_pip_project: Generate, make: Make, index: StubIndex, environment: dict[str, str], accelerator: str
) -> None:
    project = small_pip_project(accelerator, index)
    make(project, "lock")
    version = TORCH + BUILDS[accelerator]["linux"]
    for file in (project / "requirements.txt", project / "requirements-dev.txt"):
        locked = requirements(file)
        assert str(locked["torch"][0].specifier) == f"=={version}"
        assert locked["torch"][1] == hashes(index, version)
        assert {name for name in locked if HARDWARE.search(name)} == PACKAGES[accelerator]
        sources = {source(index, "+cpu"): None, source(index, f"+{accelerator}"): None}
        assert options(file) == [f"--extra-index-url {address}" for address in sources]
        assert ("colorama" in locked) is (file.name == "requirements-dev.txt")

    command = [".venv/bin/pip", "install", "--quiet", "--dry-run", "--ignore-installed", "--require-hashes"]
    result = run([*command, "--report", "-", "-r", "requirements.txt"], cwd=project, env=environment)
    assert result.returncode == 0, result.stderr
    items = json.loads(result.stdout)["install"]
    origins = {canonicalize_name(item["metadata"]["name"]): item["download_info"]["url"] for item in items}
    assert set(origins) == set(requirements(project / "requirements.txt"))
    assert origins["torch"].startswith(source(index, BUILDS[accelerator]["linux"]) + "/")


@pytest.mark.parametrize("accelerator", ["cu130", "rocm7.2"])
def test_pip_on_arm_locks_the_build_for_the_cpu(
    small_pip_project: Generate, make: Make, index: StubIndex, tmp_path: Path, accelerator: str
) -> None:
    project = small_pip_project(accelerator, index)
    pretence = "import os\nreal = os.uname()\nos.uname = lambda: os.uname_result((*real[:4], 'aarch64'))\n"
    (tmp_path / "sitecustomize.py").write_text(pretence)
    make(project, "lock", PYTHONPATH=str(tmp_path), _PYTHON_HOST_PLATFORM="linux-aarch64")
    for file in ("requirements.txt", "requirements-dev.txt"):
        locked = requirements(project / file)
        assert str(locked["torch"][0].specifier) == f"=={TORCH}+cpu"
        assert not {name for name in locked if HARDWARE.search(name)}


def test_pip_keeps_what_is_locked_when_something_changes(
    small_pip_project: Generate, make: Make, index: StubIndex
) -> None:
    project = small_pip_project("cpu", index)
    make(project, "lock")
    files = [project / "requirements.txt", project / "requirements-dev.txt"]
    before = [file.read_bytes() for file in files]

    os.utime(project / "pyproject.toml")
    make(project, "lock")
    assert [file.read_bytes() for file in files] == before, "nothing has changed"

    depend(project, ["typing-extensions>=4.12", "packaging"])
    make(project, "lock")
    for file, text in zip(files, before, strict=True):
        locked = requirements(file)
        assert str(locked["typing-extensions"][0].specifier) == "==4.12.2"
        assert str(locked["torch"][0].specifier) == f"=={TORCH}+cpu"
        assert set(locked) == set(re.findall(r"(?m)^([a-z0-9-]+)==", text.decode())) | {"packaging"}

    other = small_pip_project("cu130", index)
    depend(project, ["typing-extensions>=4.12", "packaging"])
    shutil.copy(other / "requirements-torch.in", project)
    make(project, "lock")
    for file in files:
        locked = requirements(file)
        assert str(locked["typing-extensions"][0].specifier) == "==4.12.2"
        assert str(locked["torch"][0].specifier) == f"=={TORCH}+cu130"
        assert locked["torch"][1] == hashes(index, f"{TORCH}+cu130")


def test_pip_installs_a_fresh_clone_as_locked(small_pip_project: Generate, make: Make, index: StubIndex) -> None:
    """Git writes files in the order of their names, and keeps no times: a lock may look older than pyproject.toml."""
    project = small_pip_project("cpu", index)
    make(project, "lock")
    for number, path in enumerate(sorted(file for file in project.iterdir() if file.is_file())):
        os.utime(path, (1_800_000_000 + number, 1_800_000_000 + number))
    plan = make(project, "--dry-run", "install")
    assert "--require-hashes" in plan
    assert "pip-compile" not in plan


def test_pip_refuses_another_file_in_the_builds_place(
    small_pip_project: Generate, make: Make, index: StubIndex, environment: dict[str, str]
) -> None:
    project = small_pip_project("cpu", index)
    make(project, "lock")
    forged = Wheel("whl/cpu", "torch", f"{TORCH}+cpu", LINUX_X86_64, PYTHON)
    assert f"sha256:{forged.sha256}" not in hashes(index, forged.version)
    with StubIndex([forged]) as other:
        lock = project / "requirements.txt"
        lock.write_text(lock.read_text().replace(index.address, other.address))
        command = [".venv/bin/pip", "install", "--dry-run", "--ignore-installed", "--require-hashes", "--no-deps"]
        result = run([*command, "-r", lock], cwd=project, env=environment)
    assert result.returncode != 0
    assert forged.sha256 in result.stderr


@pytest.mark.parametrize(("accelerator", "missing"), [("cpu", "+cpu"), ("cu130", "+cu130")])
def test_pip_refuses_to_lock_without_the_build(
    small_pip_project: Generate, make: Make, accelerator: str, missing: str
) -> None:
    with StubIndex(wheel for wheel in torch_wheels(TORCH) if wheel.version != TORCH + missing) as index:
        project = small_pip_project(accelerator, index)
        output = make(project, "lock", fails=True)
    assert f"torch=={TORCH}{missing}" in output
    assert not list(project.glob("requirements*.txt"))
