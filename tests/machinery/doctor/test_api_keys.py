"""The doctor's check of API keys."""

from pathlib import Path

import pytest

from my_project.base_settings import ServiceSettings
from my_project.doctor import Context
from my_project.doctor.api_keys import api_keys


@pytest.mark.parametrize(
    ("text", "host", "state", "found"),
    [
        (None, "127.0.0.1", "ok", "none; only this machine can reach 127.0.0.1"),
        (None, "0.0.0.0", "warn", "none: whoever reaches 0.0.0.0:8000 may use the API"),
        ("", "0.0.0.0", "ok", "0 keys, 0 of them admin"),
        (f"a sha256:{'a' * 64}\nb sha256:{'b' * 64} admin", "0.0.0.0", "ok", "2 keys, 1 of them admin"),
        ("a sk-secret", "127.0.0.1", "fail", "keys/api_keys, line 1: expected NAME sha256:HASH, and optionally admin"),
    ],
)
def test_the_doctor_reports_who_may_use_the_api(
    text: str | None, host: str, state: str, found: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    if text is not None:
        (tmp_path / "keys").mkdir()
        (tmp_path / "keys/api_keys").write_text(text)
    finding = api_keys(Context(load_settings=lambda: ServiceSettings(host=host)))
    assert finding
    assert (finding.state, finding.found) == (state, found)
    assert bool(finding.fix) == (state != "ok")
