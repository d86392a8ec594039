"""The check of AMD's driver, with a file as the device, so that no GPU is needed."""

import os
from pathlib import Path

import pytest

from my_project.doctor import Context, rocm


@pytest.mark.parametrize(
    ("there", "usable", "state"),
    [(False, False, "warn"), (True, False, "fail"), (True, True, "ok")],
)
def test_the_driver_is_there_and_may_be_used(
    there: bool, usable: bool, state: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(rocm, "build", lambda: rocm.ACCELERATOR)
    monkeypatch.setattr(rocm, "KERNEL_DRIVER", tmp_path / "kfd")
    monkeypatch.setattr(os, "access", lambda path, mode: usable)  # root may use everything
    if there:
        (tmp_path / "kfd").touch()
    finding = rocm.driver(Context())
    assert finding and finding.state == state


def test_a_machine_that_gets_the_build_for_the_cpu_is_not_asked(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rocm, "build", lambda: "cpu")
    assert rocm.driver(Context()) is None
