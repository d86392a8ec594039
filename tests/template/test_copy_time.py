"""Copying and updating have not become much slower; `python -m benchmarks.copy_time` measures how long they take."""

import os

import pytest

from benchmarks.copy_time import measure, ratios

SLACK = 1.35
"""One round on a busy machine, or another machine, differs by less from the median of many."""

GROWTH = 1.2
"""Times the last release: a copy may grow by so much in one. Its ratio to a minimal template depends on the machine."""


@pytest.mark.skipif(os.name == "nt", reason="Windows does not say what CPU time other processes take")
def test_copy_and_update_take_about_as_long_as_they_did(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PYTHONPYCACHEPREFIX", "")  # `measure` sets it: restore it for other tests
    monkeypatch.setenv("PYTHONDONTWRITEBYTECODE", "")
    found = ratios(measure(rounds=1), "cpu")
    assert found["copy_to_last_release"] <= GROWTH * SLACK
    assert found["update_to_copy"] <= 3.2 * SLACK
