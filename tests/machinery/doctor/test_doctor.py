"""The command doctor, and its checks of every project."""

import json
import os
import shutil
import subprocess
import sys
from importlib import metadata
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from my_project import doctor
from my_project.doctor import Context, Finding, environment, machine


def run(*options: str, **settings: str) -> tuple[int, dict[str, Any], str]:
    """Exit code of the command, what it found by check, and what it said on standard error."""
    command = [sys.executable, "-m", "my_project", "doctor", "--json", *options]
    done = subprocess.run(command, capture_output=True, text=True, timeout=300, env=os.environ | settings)
    return done.returncode, {each["check"]: each for each in json.loads(done.stdout)}, done.stderr


def test_a_project_that_is_installed_as_locked_has_what_it_needs() -> None:
    code, found, errors = run("--thorough")
    assert errors == ""
    for check in ("project", "settings", "packages"):
        assert found[check]["state"] == "ok", found[check]
    assert code == any(each["state"] == "fail" for each in found.values()), "hardware may well be missing"


def test_the_table_names_every_check() -> None:
    command = [sys.executable, "-m", "my_project", "doctor"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=300)
    assert "How to fix it" in done.stdout
    assert "packages" in done.stdout


def test_a_setting_that_does_not_fit_is_a_failure_and_no_traceback() -> None:
    code, found, errors = run(MY_PROJECT_MAX_BATCH_SIZE="many")
    assert (code, errors) == (1, "")
    assert found["settings"]["state"] == "fail"
    assert found["settings"]["found"].startswith("max_batch_size: ")


def test_a_check_that_breaks_is_a_failure_and_the_others_go_on(monkeypatch: pytest.MonkeyPatch) -> None:
    def broken_part(context: Context) -> Finding:
        raise RuntimeError("no good\nat all")

    monkeypatch.setattr(environment, "CHECKS", [broken_part, environment.settings])
    monkeypatch.setattr(machine, "CHECKS", [])
    found = [each for each in doctor.examine(Context()) if each.check in ("broken part", "settings")]
    assert found == [Finding("broken part", "fail", "RuntimeError: no good"), Finding("settings", "ok", "all valid")]


def test_requirements_that_do_not_hold_are_named(monkeypatch: pytest.MonkeyPatch) -> None:
    required = ["rich>=999", "no-such-package>=1", "pydantic", "a; sys_platform == 'none'", "b; extra == 'c'"]
    monkeypatch.setattr(metadata, "requires", lambda name: required)
    finding = environment.packages(Context())
    assert finding.state == "fail"
    assert finding.found == f"rich {metadata.version('rich')} is not >=999; no-such-package is missing"


def test_without_packaging_requirements_are_only_looked_for(monkeypatch: pytest.MonkeyPatch) -> None:
    required = ["rich>=999", "no-such-package[extra]>=1", "a; extra == 'b'"]
    monkeypatch.setattr(metadata, "requires", lambda name: required)
    monkeypatch.setitem(sys.modules, "packaging.requirements", None)
    assert environment.packages(Context()).found == "no-such-package is missing"


@pytest.mark.parametrize(("size", "state"), [(64 * 2**20, "warn"), (2**30, "ok")])
def test_little_shared_memory_is_a_warning(
    size: int, state: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "dev/shm").mkdir(parents=True)
    monkeypatch.setattr(machine, "ROOT", tmp_path)
    monkeypatch.setattr(shutil, "disk_usage", lambda folder: SimpleNamespace(total=size))
    finding = machine.shared_memory(Context())
    assert finding and finding.state == state


# Control groups belong to the kernel, and only root of the host may write them: these are copies of what it shows.
@pytest.mark.parametrize(
    ("groups", "files", "expected"),
    [
        ("0::/\n", {"cpu.max": "150000 100000"}, 1.5),
        ("0::/\n", {"cpu.max": "max 100000"}, 64),
        ("0::/a/b\n", {"a/cpu.max": "200000 100000", "a/b/cpu.max": "max 100000"}, 2),
        ("0::/docker/0123\n", {"cpu.max": "300000 100000"}, 3),
        ("4:cpu,cpuacct:/x\n0::/\n", {"cpu/cpu.cfs_quota_us": "50000", "cpu/cpu.cfs_period_us": "100000"}, 0.5),
        ("4:cpu,cpuacct:/\n3:cpuset:/\n", {"cpu/cpu.cfs_quota_us": "-1", "cpu/cpu.cfs_period_us": "100000"}, 64),
        (None, {}, 64),
    ],
)
def test_the_quota_of_control_groups_is_found(
    groups: str | None, files: dict[str, str], expected: float, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    if groups is not None:
        (tmp_path / "proc/self").mkdir(parents=True)
        (tmp_path / "proc/self/cgroup").write_text(groups)
    for name, content in files.items():
        path = tmp_path / "sys/fs/cgroup" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(f"{content}\n")
    monkeypatch.setattr(machine, "ROOT", tmp_path)
    monkeypatch.setattr(machine, "_usable", lambda: 64)
    assert machine.processors() == expected


@pytest.mark.parametrize(("granted", "state"), [(0.5, "warn"), (3, "warn"), (3.5, "ok"), (64, "ok")])
def test_more_threads_than_processors_are_a_warning(
    granted: float, state: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(machine, "processors", lambda: granted)
    monkeypatch.setenv("OMP_NUM_THREADS", "4")
    if hasattr(machine, "probe"):  # torch reports its threads
        monkeypatch.setattr(machine, "probe", lambda context: SimpleNamespace(threads=4))
    finding = machine.threads(Context())
    assert finding.state == state
    assert ("OMP_NUM_THREADS=" in finding.fix) == (state == "warn")
