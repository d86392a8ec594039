"""The checks of ONNX Runtime and the exported model."""

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from my_project.components import get_settings
from my_project.doctor import Context, onnx_build


@pytest.fixture(autouse=True)
def forgotten() -> Iterator[None]:
    """Let the next test read its own settings."""
    yield
    get_settings.cache_clear()


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return a folder with one file and a manifest, which the settings name."""
    (tmp_path / "model.onnx").write_bytes(b"graph")
    listed = {"size": 5, "sha256": "c9d0b4ef1e9b0b8f0b0ba0c3a3f9e9d2"}
    manifest = {"model": "an-org/tiny", "revision": "main", "commit": None, "files": {"model.onnx": listed}}
    (tmp_path / "weights.json").write_text(json.dumps(manifest))
    monkeypatch.setenv("MY_PROJECT_RUNTIME", "onnx")
    monkeypatch.setenv("MY_PROJECT_EXPORTED", str(tmp_path))
    get_settings.cache_clear()
    return tmp_path


def test_the_runtime_is_here() -> None:
    finding = onnx_build.onnx_runtime(Context(False, get_settings))
    assert finding.state in ("ok", "warn")
    assert "CPUExecutionProvider" in finding.found


def test_an_export_that_is_whole(folder: Path) -> None:
    assert onnx_build.exported(Context(False, get_settings)).state == "ok"
    assert "another checksum" in onnx_build.exported(Context(True, get_settings)).found


def test_an_export_that_lacks_something_is_a_failure(folder: Path) -> None:
    (folder / "model.onnx").write_bytes(b"gra")
    assert "has 3 bytes, not 5" in onnx_build.exported(Context(False, get_settings)).found
    (folder / "model.onnx").unlink()
    assert "model.onnx is missing" in onnx_build.exported(Context(False, get_settings)).found
    (folder / "weights.json").write_text("{")
    assert "cannot be read" in onnx_build.exported(Context(False, get_settings)).found
    (folder / "weights.json").unlink()
    assert "has none" in onnx_build.exported(Context(False, get_settings)).found
    assert "export" in onnx_build.exported(Context(False, get_settings)).fix
