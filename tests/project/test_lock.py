"""`make lock` takes torch from one index, for each kind of machine, with uv and with pip.

The index is a local one with stub wheels, to test accelerators whose wheels are large or out of reach; programs,
Makefile and all other packages are real.
"""

import json
import os
import platform
import re
import shutil
import sys
import tomllib
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from subprocess import CompletedProcess
from typing import Any, NamedTuple, Protocol
from urllib.parse import unquote

import pytest
from packaging.markers import Marker
from packaging.requirements import Requirement
from pytest_copie.plugin import Copie

from tests.conftest import need, need_program
from tests.program import run
from tests.stub_index import LINUX_AARCH64, LINUX_X86_64, StubIndex, Wheel, torch_wheels

pytestmark = pytest.mark.project

TORCH = "2.13.0"
PYTHON = "3.11"
HARDWARE = re.compile(r"nvidia|cuda|cupti|triton|rocm|pytorch")
"""Pattern in the name of a package that only an accelerator needs."""


class Machine(NamedTuple):
    """A kind of machine: its name for uv and the values of its environment markers."""

    target: str
    markers: dict[str, str]


def machine(target: str, system: str, processor: str) -> Machine:
    """Return a machine with the Python under test; ``system`` is ``sys_platform``."""
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
"""Accelerator -> machine -> local version of torch, which names the repository; an empty one is in that of the CPU."""

PACKAGES: dict[str, set[str]] = {"cpu": set(), "cu130": {"nvidia-nvtx"}, "rocm7.2": {"triton-rocm"}}
"""Accelerator -> packages that Linux on x86-64 needs for it besides torch; other machines need none."""

Generate = Callable[[str, str, StubIndex], Path]


class Make(Protocol):
    """Run make in a project."""

    def __call__(self, project: Path, *arguments: str, fails: bool = False, **variables: str) -> str:
        """Return the output of make, which must succeed, or fail if `fails`."""
        ...


class Locked(NamedTuple):
    """A locked project and its index of torch; tests only read both."""

    accelerator: str
    path: Path
    index: StubIndex


@pytest.fixture(scope="module")
def environment(clean_environment: dict[str, str]) -> dict[str, str]:
    """Return the environment without this machine's own package sources."""
    dropped = ("PIP_FIND_LINKS", "PIP_EXTRA_INDEX_URL", "PIP_NO_INDEX", "MAKE", "MFLAGS")
    kept = {name: value for name, value in clean_environment.items() if not name.startswith(dropped)}
    return kept | {"PIP_CONFIG_FILE": os.devnull, "PIP_DISABLE_PIP_VERSION_CHECK": "1"}


@pytest.fixture(scope="module")
def index() -> Iterator[StubIndex]:
    """Yield an index with every build of torch."""
    with StubIndex(torch_wheels(TORCH)) as index:
        yield index


@pytest.fixture(scope="module", params=BUILDS)
def accelerator(request: pytest.FixtureRequest) -> str:
    """Return each accelerator."""
    return request.param


@pytest.fixture(scope="module")
def generate(copie_session: Copie, template: Path, make: Make) -> Generate:
    """Return a function that generates a project with torch from an index; pip projects share one environment."""
    environments: list[Path] = []

    def generate(manager: str, accelerator: str, index: StubIndex) -> Path:
        answers = {
            "preset": "cli",
            "project_name": "My Project",
            "hf_task": "custom",
            "package_manager": manager,
            "torch_version": TORCH,
            "python_version": PYTHON,
            "accelerator": accelerator,
            "torch_index": f"{index.address}/whl",
        }
        result = copie_session.copy(extra_answers=answers, template_dir=template)
        assert result.exit_code == 0 and result.project_dir, repr(result.exception)
        if manager == "pip":
            here = (sys.platform, platform.machine())
            need(here == ("linux", "x86_64"), "pip locks for its own machine: needs Linux on x86-64")
            if environments:
                (result.project_dir / ".venv").symlink_to(environments[0])
            else:
                make(result.project_dir, ".venv/bin/pip")
                environments.append(result.project_dir / ".venv")
        return result.project_dir

    return generate


@pytest.fixture(scope="module")
def make(environment: dict[str, str]) -> Make:
    """Return a function that runs make in a project."""
    program = need_program("make")
    need_program(f"python{PYTHON}")

    def make(project: Path, *arguments: str, fails: bool = False, **variables: str) -> str:
        result = run([program, *arguments], cwd=project, env=environment | variables)
        output = result.stdout + result.stderr
        assert (result.returncode != 0) is fails, output
        return output

    return make


def depend(project: Path, dependencies: list[str] | None = None, dev: list[str] | None = None) -> None:
    """Replace the project's dependencies besides torch, its development tools, or both."""
    manifest = project / "pyproject.toml"
    text = manifest.read_text()
    found = tomllib.loads(text)["project"]["dependencies"]
    own = [line for line in found if re.match("torch=|[a-z-]*triton", line)]
    for name, new in {"dependencies": dependencies and [*own, *dependencies], "dev": dev}.items():
        if new is not None:
            lines = f"{name} = {json.dumps(new, indent=2)}"
            text, count = re.subn(rf"(?ms)^{name} = \[\n.*?^\]", lambda _, lines=lines: lines, text)
            assert count == 1
    manifest.write_text(text)


def applies(requirement: Requirement, where: Machine) -> bool:
    """Return whether a requirement applies to a machine."""
    return requirement.marker is None or requirement.marker.evaluate(dict(where.markers))


def source(index: StubIndex, local: str) -> str:
    """Return the address of the repository with a build of torch."""
    return f"{index.address}/whl/{local.removeprefix('+') or 'cpu'}"


# uv


def uv_lock(project: Path) -> dict[str, Any]:
    """Return the content of a project's uv.lock."""
    return tomllib.loads((project / "uv.lock").read_text())


def pins(project: Path) -> set[tuple[str, str]]:
    """Return name and version of each locked package, without torch and the project itself."""
    return {
        (package["name"], package["version"])
        for package in uv_lock(project)["package"]
        if "registry" in package["source"] and package["name"] != "torch"
    }


@pytest.fixture(scope="module")
def uv_project(accelerator: str, generate: Generate, make: Make) -> Iterator[Locked]:
    """Yield a locked uv project for each accelerator."""
    need_program("uv")
    with StubIndex(torch_wheels(TORCH)) as index:
        project = generate("uv", accelerator, index)
        make(project, "lock")
        yield Locked(accelerator, project, index)


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
            wheels = {f"sha256:{wheel.sha256}" for wheel in index.files.values() if wheel.version == package["version"]}
            assert {file["hash"] for file in files} <= wheels


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


# pip


@pytest.fixture(scope="module")
def pip_project(accelerator: str, generate: Generate, make: Make) -> Iterator[Locked]:
    """Yield a locked pip project for each accelerator; only one keeps its tools, which take time to lock."""
    with StubIndex(torch_wheels(TORCH)) as index:
        project = generate("pip", accelerator, index)
        if accelerator != "cpu":
            depend(project, dev=["pytest>=8.4"])
        make(project, "lock")
        yield Locked(accelerator, project, index)


def pip_lock(file: Path) -> dict[str, dict[str, Any]]:
    """Return the packages of a lock by name; fail if one is there twice or a file has no hash."""
    packages = tomllib.loads(file.read_text())["packages"]
    for package in packages:
        files = [*package.get("wheels", []), *([package["sdist"]] if "sdist" in package else [])]
        assert files, package
        assert all(re.fullmatch("[0-9a-f]{64}", file["hashes"]["sha256"]) for file in files), package
    found = {package["name"]: package for package in packages}
    assert len(found) == len(packages)
    return found


def fitting(accelerator: str, index: StubIndex) -> dict[str, Wheel]:
    """Return the wheels of an index for the accelerator on this machine, by address."""
    wanted = (f"whl/{accelerator}", PYTHON, LINUX_X86_64)
    return {
        index.address + path: wheel
        for path, wheel in index.files.items()
        if (wheel.repository, wheel.python, wheel.platform) == wanted
    }


def install(project: Path, lock: Path, environment: dict[str, str]) -> CompletedProcess[str]:
    """Run pip to report what it would install from a lock into an empty environment."""
    command = [".venv/bin/pip", "install", "--quiet", "--dry-run", "--ignore-installed", "--report=-", "--requirement"]
    return run([*command, lock], cwd=project, env=environment)


def test_pip_is_told_one_build_for_each_machine(accelerator: str, generate: Generate, index: StubIndex) -> None:
    lines = (generate("pip", accelerator, index) / "torch-constraints.txt").read_text().splitlines()
    found = [Requirement(line) for line in lines if line.startswith("torch")]
    for name, local in BUILDS[accelerator].items():
        assert [str(line.specifier) for line in found if applies(line, MACHINES[name])] == [f"=={TORCH}{local}"], name


@pytest.mark.parametrize("file", ["pylock.toml", "pylock.dev.toml"])
def test_pip_locks_the_one_build_with_its_hash(pip_project: Locked, file: str) -> None:
    accelerator, project, index = pip_project
    packages = pip_lock(project / file)
    assert packages["torch"]["version"] == f"{TORCH}+{accelerator}"
    from_index = {
        unquote(wheel["url"]): wheel["hashes"]
        for package in packages.values()
        for wheel in package.get("wheels", [])
        if package["name"] == "torch" or wheel["url"].startswith(index.address)
    }
    assert from_index == {url: {"sha256": wheel.sha256} for url, wheel in fitting(accelerator, index).items()}


def test_pip_downloads_no_other_build(pip_project: Locked) -> None:
    accelerator, _, index = pip_project
    assert {f"{index.address}/{path}" for path in index.downloaded()} == set(fitting(accelerator, index))


def test_pip_locks_the_same_packages_as_uv(
    pip_project: Locked, uv_project: Locked, environment: dict[str, str]
) -> None:
    command = ["uv", "export", "--quiet", "--frozen", "--no-dev", "--no-emit-project"]
    plain = ["--no-hashes", "--no-annotate", "--no-header"]
    exported = run([*command, *plain], cwd=uv_project.path, env=environment).stdout.splitlines()
    names = {wanted.name for wanted in map(Requirement, exported) if applies(wanted, MACHINES["linux"])}
    assert {"torch", "pydantic-settings"} < names
    assert set(pip_lock(pip_project.path / "pylock.toml")) == names


def test_pip_would_install_what_is_locked(pip_project: Locked, environment: dict[str, str]) -> None:
    lock = pip_project.path / "pylock.toml"
    result = install(pip_project.path, lock, environment)
    assert result.returncode == 0, result.stderr
    found = {item["download_info"]["url"] for item in json.loads(result.stdout)["install"]}
    assert found == {package["wheels"][0]["url"] for package in pip_lock(lock).values()}


def test_pip_refuses_another_file_in_the_builds_place(
    pip_project: Locked, environment: dict[str, str], tmp_path: Path
) -> None:
    accelerator, project, index = pip_project
    (torch,) = (wheel for wheel in fitting(accelerator, index).values() if wheel.name == "torch")
    forged = replace(torch, requires=())
    assert (forged.filename, forged.sha256 == torch.sha256) == (torch.filename, False)
    with StubIndex([forged]) as other:
        lock = tmp_path / "pylock.toml"
        url = f"{index.address}/whl/{accelerator}/torch-"
        text = (project / "pylock.toml").read_text()
        assert text.count(url) == 1
        lock.write_text(text.replace(url, url.replace(index.address, other.address)))
        result = install(project, lock, environment)
    assert result.returncode != 0
    assert forged.sha256 in result.stderr


def test_pip_on_arm_locks_the_build_for_the_cpu(
    generate: Generate, make: Make, index: StubIndex, tmp_path: Path
) -> None:
    project = generate("pip", "cu130", index)
    depend(project, ["typing-extensions"], [])
    pretence = "import os\nreal = os.uname()\nos.uname = lambda: os.uname_result((*real[:4], 'aarch64'))\n"
    (tmp_path / "sitecustomize.py").write_text(pretence)
    make(project, "lock", PYTHONPATH=str(tmp_path), _PYTHON_HOST_PLATFORM="linux-aarch64")
    packages = pip_lock(project / "pylock.toml")
    (wheel,) = packages["torch"]["wheels"]
    assert f"{TORCH}+cpu" == packages["torch"]["version"]
    assert unquote(wheel["url"]).startswith(f"{index.address}/whl/cpu/torch-{TORCH}+cpu")
    assert LINUX_AARCH64 in wheel["name"]
    assert not {name for name in packages if HARDWARE.search(name)}


def test_pip_installs_a_fresh_clone_as_locked(
    generate: Generate, make: Make, index: StubIndex, environment: dict[str, str], tmp_path: Path
) -> None:
    project = generate("pip", "cpu", index)
    depend(project, ["typing-extensions"], ["colorama"])
    make(project, "lock")
    git, clone = ["git", "-c", "user.name=A", "-c", "user.email=a@example.com"], tmp_path / "clone"
    for command in (["init", "-q"], ["add", ".", ":!.venv"], ["commit", "-qm", "Start"], ["clone", "-q", ".", clone]):
        assert run([*git, *command], cwd=project, env=environment).returncode == 0, command
    for number, path in enumerate(sorted(clone.iterdir())):  # the locks are older than pyproject.toml
        os.utime(path, (1_800_000_000 + number,) * 2)
    assert "pip lock" not in make(clone, "install")
    assert run(["git", "status", "--porcelain"], cwd=clone, env=environment).stdout == ""
    installed = run([".venv/bin/pip", "list", "--format=freeze"], cwd=clone, env=environment).stdout
    assert {f"torch=={TORCH}+cpu", "my-project==0.1.0"} < set(installed.split())
    assert "colorama==" in installed


# Both


@pytest.mark.parametrize(("manager", "reason"), [("uv", f"torch=={TORCH}"), ("pip", "ResolutionImpossible")])
@pytest.mark.parametrize("missing", ["cpu", "cu130"])
def test_nothing_is_locked_without_the_build(
    generate: Generate, make: Make, manager: str, reason: str, missing: str
) -> None:
    with StubIndex(wheel for wheel in torch_wheels(TORCH) if wheel.version != f"{TORCH}+{missing}") as index:
        project = generate(manager, missing, index)
        depend(project, ["typing-extensions"], [])
        output = make(project, "lock", fails=True)
    assert reason in re.sub(r"\{.*?\}", "", output)
    assert not [*project.glob("*lock*")]
