"""The checks of torch."""

import os
import stat
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from my_project.doctor import Context, torch_build
from my_project.doctor.torch_build import Probe


@pytest.fixture(autouse=True)
def forgotten() -> Iterator[None]:
    """Clear the cached answers of torch before every test."""
    forget = torch_build.probe_device.cache_clear
    forget()
    yield
    forget()


def python_that(does: str, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Put a shell script in Python's place, for what a working torch does not do."""
    program = folder / "python"
    program.write_text(f"#!/bin/sh\n{does}\n")
    program.chmod(program.stat().st_mode | stat.S_IXUSR)
    monkeypatch.setattr(sys, "executable", os.fspath(program))


def test_torch_works_and_computes() -> None:
    assert torch_build.torch(Context()).state in ("ok", "warn")
    finding = torch_build.device(Context())
    assert finding and finding.state != "fail"
    assert torch_build.probe(Context()).threads >= 1


@pytest.mark.parametrize(
    ("does", "found"),
    [
        ("echo 'Traceback' >&2; echo 'ImportError: libtorch.so: cannot open' >&2; exit 1", "cannot open"),
        ("kill -ILL $$", "ended by SIGILL"),
        ("exec sleep 60", "did not answer within 1 seconds"),
    ],
)
def test_a_torch_that_is_broken_is_a_failure(
    does: str, found: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    python_that(does, tmp_path, monkeypatch)
    monkeypatch.setattr(torch_build, "PROBE_TIMEOUT_SECONDS", 1)
    finding = torch_build.torch(Context())
    assert finding.state == "fail"
    assert found in finding.found
    assert torch_build.device(Context()) is None


def test_another_build_is_a_warning(monkeypatch: pytest.MonkeyPatch) -> None:
    for version, state in [(f"9.9.9+{torch_build.build()}", "ok"), ("9.9.9+other", "warn")]:
        monkeypatch.setattr(torch_build, "probe", lambda context, version=version: Probe(version=version))
        assert torch_build.torch(Context()).state == state


def test_a_device_that_cannot_compute_is_a_failure(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(
        torch_build, "probe", lambda context: Probe(device="cuda", refusal="no kernel image is available")
    )
    finding = torch_build.device(Context())
    assert finding and finding.state == "fail"


@pytest.mark.skipif(not hasattr(torch_build, "ACCELERATOR"), reason="the project is for the CPU")
@pytest.mark.parametrize(("build", "state"), [("ACCELERATOR", "warn"), ("cpu", "ok")])
def test_computing_on_the_cpu_is_a_warning_where_a_gpu_is_meant(
    build: str, state: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(torch_build, "probe", lambda context: Probe(device="cpu"))
    monkeypatch.setattr(torch_build, "build", lambda: getattr(torch_build, build, build))
    finding = torch_build.device(Context())
    assert finding and finding.state == state
