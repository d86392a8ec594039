"""The checks of NVIDIA's driver, with a fake nvidia-smi, so that no GPU is needed."""

from pathlib import Path

import pytest

from my_project.doctor import Context, nvidia


@pytest.fixture(autouse=True)
def machine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Return a machine that gets the build for GPUs, and has none yet."""
    monkeypatch.setattr(nvidia, "build", lambda: nvidia.ACCELERATOR)
    monkeypatch.setattr(nvidia, "KERNEL_MODULE", tmp_path / "version")
    monkeypatch.setenv("PATH", str(tmp_path))


def nvidia_smi(folder: Path, does: str) -> None:
    """Put a program of that name on the path."""
    program = folder / "nvidia-smi"
    program.write_text(f"#!/bin/sh\n{does}\n")
    program.chmod(0o755)


def test_without_a_gpu_it_warns() -> None:
    finding = nvidia.driver(Context())
    assert finding and finding.state == "warn"
    assert "runs on the CPU" in finding.found


@pytest.mark.parametrize(("version", "state"), [("390.10", "fail"), (nvidia.DRIVER, "ok"), ("999.10.01", "ok")])
def test_an_old_driver_is_a_failure(version: str, state: str, tmp_path: Path) -> None:
    nvidia_smi(tmp_path, f"echo '{version}, 9.0, NVIDIA H100 80GB HBM3'")
    finding = nvidia.driver(Context())
    assert finding and finding.state == state


@pytest.mark.parametrize("does", ["exit 9", "exec /bin/sleep 60", "echo no devices"])
def test_the_kernel_is_asked_where_nvidia_smi_fails(does: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(nvidia, "NVIDIA_SMI_TIMEOUT_SECONDS", 0.5)
    nvidia_smi(tmp_path, does)
    module = "NVRM version: NVIDIA UNIX Open Kernel Module for x86_64  999.65.06  Release Build  (builder)"
    nvidia.KERNEL_MODULE.write_text(f"{module}\nGCC version: 12.2.0\n")
    finding = nvidia.driver(Context())
    assert finding and finding.state == "ok"
    assert finding.found.startswith("999.65.06")
    assert nvidia.gpus() == []


def test_a_machine_that_gets_the_build_for_the_cpu_is_not_asked(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(nvidia, "build", lambda: "cpu")
    assert [check(Context()) for check in nvidia.CHECKS] == [None] * len(nvidia.CHECKS)


KNOWS_CAPABILITY = pytest.mark.skipif(not hasattr(nvidia, "compute_capability"), reason="the runtime names none")


@KNOWS_CAPABILITY
@pytest.mark.parametrize(
    ("capability", "state"), [("3.5", "fail"), ("OLDEST", "ok"), ("NEWEST", "ok"), ("99.0", "warn")]
)
def test_a_gpu_that_torch_has_no_code_for_is_named(capability: str, state: str, tmp_path: Path) -> None:
    capability = getattr(nvidia, capability, capability)
    nvidia_smi(tmp_path, f"echo '999.1, {nvidia.NEWEST}, NVIDIA A'; echo '999.1, {capability}, NVIDIA B'")
    finding = nvidia.compute_capability(Context())
    assert finding and finding.state == state
    assert f"NVIDIA B: {capability}" in finding.found


@KNOWS_CAPABILITY
def test_a_gpu_whose_capability_is_unknown_is_left_out(tmp_path: Path) -> None:
    nvidia_smi(tmp_path, "echo '999.1, [N/A], NVIDIA A'")
    assert nvidia.compute_capability(Context()) is None
