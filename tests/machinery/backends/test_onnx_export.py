"""Exports of the tiny model, and what is refused."""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from example import INPUTS
from typer.testing import CliRunner

from my_project.backends import export_source, onnx_export
from my_project.backends import onnx as onnx_backend
from my_project.backends.export_source import read_source
from my_project.backends.onnx import GRAPHS, ensure_exported, is_exported
from my_project.cli.program import app
from my_project.components import export_model, get_settings, load_model
from my_project.errors import ModelUnavailableError
from my_project.inference.model_files import MANIFEST
from my_project.settings import Settings
from my_project.task.export import SPEC

pytestmark = pytest.mark.usefixtures("exported")


def test_both_precisions_agree_with_torch(exported: Path) -> None:
    def difference(ones: list[Any], others: list[Any]) -> float:
        return max(SPEC.difference(*pair) for pair in zip(ones, others, strict=True))

    def predicted(**changed: str) -> list[Any]:
        return load_model(get_settings().model_copy(update=changed)).predict(INPUTS, SPEC.parameters)

    expected, exact, close = predicted(runtime="torch"), predicted(), predicted(precision="int8")
    assert difference(exact, expected) < onnx_export.TOLERANCE
    assert 0 < difference(close, expected) < 0.1


def test_parallel_batches_predict_as_one_does(exported: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OMP_NUM_THREADS", "3")
    settings = get_settings().model_copy(update={"max_batch_size": 1})
    inputs = INPUTS * 8
    several = load_model(settings.model_copy(update={"parallel_batches": 3}))
    one = load_model(settings.model_copy(update={"parallel_batches": 1}))
    assert (several.parallel_batches, one.parallel_batches) == (3, 1)
    pairs = zip(*(each.predict(inputs, SPEC.parameters) for each in (several, one)), strict=True)
    assert max(SPEC.difference(*pair) for pair in pairs) < onnx_export.TOLERANCE


def test_one_thread_computes_one_batch_at_a_time(exported: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OMP_NUM_THREADS", "1")
    assert load_model(get_settings()).parallel_batches == 1


def test_the_manifest_lists_every_file(exported: Path) -> None:
    listed = json.loads((exported / MANIFEST).read_text())["files"]
    assert set(listed) == {path.name for path in exported.iterdir()} - {MANIFEST}
    assert set(GRAPHS.values()) <= set(listed)
    assert all((exported / name).stat().st_size == each["size"] for name, each in listed.items())


def test_an_export_that_differs_is_refused_and_leaves_what_was_there(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "onnx").mkdir()
    (tmp_path / "onnx" / MANIFEST).write_text("{}")
    monkeypatch.setattr(onnx_export, "TOLERANCE", -1.0)
    with pytest.raises(ModelUnavailableError, match="differs from torch"):
        export_model(get_settings().model_copy(update={"exported": tmp_path / "onnx"}), print)
    left = {path.relative_to(tmp_path).as_posix() for path in tmp_path.rglob("*")}
    assert left == {".onnx.lock", "onnx", f"onnx/{MANIFEST}"}


def test_a_folder_of_something_else_is_never_replaced(tmp_path: Path) -> None:
    (tmp_path / "mine").touch()
    for folder in (tmp_path, tmp_path / "mine"):
        with pytest.raises(ModelUnavailableError, match="holds other files"):
            export_model(get_settings().model_copy(update={"exported": folder}), print)
    assert (tmp_path / "mine").exists()


def test_8_bits_that_do_not_agree_are_left_out_or_refused_where_they_are_wanted(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(onnx_export, "MIN_AGREEMENT", 2.0)
    said: list[str] = []
    settings = get_settings().model_copy(update={"exported": tmp_path / "onnx"})
    (tmp_path / ".onnx-broken-off").mkdir()
    export_model(settings, said.append)
    assert "left out" in said[-1]
    assert {path.name for path in tmp_path.iterdir()} == {".onnx.lock", "onnx"}
    assert load_model(settings).predict(INPUTS, SPEC.parameters)
    wanted = settings.model_copy(update={"precision": "int8"})
    with pytest.raises(ModelUnavailableError, match="has no int8"):
        load_model(wanted)
    with pytest.raises(ModelUnavailableError, match="left out"):
        export_model(wanted, print)


def test_the_command_does_nothing_where_the_export_is_there(exported: Path) -> None:
    before = (exported / MANIFEST).stat().st_mtime_ns
    assert is_exported(get_settings())
    done = CliRunner().invoke(app, ["export"])
    assert done.output.strip() == str(exported)
    assert (exported / MANIFEST).stat().st_mtime_ns == before


def test_another_model_is_not_what_was_exported(exported: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    other = Settings(model="an-org/another", exported=exported)
    assert not is_exported(other)
    monkeypatch.setattr(onnx_backend, "find_spec", lambda name: None)  # as where only the export is
    with pytest.raises(ModelUnavailableError, match="not an-org/another"):
        load_model(other)


def test_a_first_prediction_exports_where_the_tools_are(
    model_folder: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    weights = shutil.copytree(model_folder, tmp_path / "weights")
    settings = Settings(model=str(weights), exported=tmp_path / "onnx")
    assert load_model(settings).predict(INPUTS, SPEC.parameters)
    assert is_exported(settings)
    [announced, *_] = [each.getMessage() for each in caplog.records if each.name == onnx_backend.__name__]
    assert announced.startswith(f"exporting {weights} to ONNX") and announced.endswith("onnx holds no export")


@pytest.fixture
def own(model_folder: Path, exported: Path, tmp_path: Path) -> Settings:
    """Return settings of weights in a folder, and of their export."""
    settings = Settings(model=str(shutil.copytree(model_folder, tmp_path / "own")), exported=tmp_path / "onnx")
    shutil.copytree(exported, settings.exported)
    manifest = json.loads((settings.exported / MANIFEST).read_text())
    changed = {"model": settings.model, "source": read_source(settings)}
    (settings.exported / MANIFEST).write_text(json.dumps(manifest | changed))
    assert is_exported(settings)
    return settings


def test_weights_that_are_only_touched_are_not_exported_again(own: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    weights = Path(own.model)
    for path in weights.rglob("*"):
        os.utime(path, (0, 0))
    (weights / "README.md").write_text("what the loader does not read")
    (weights / "checkpoint-1").mkdir()
    (weights / "checkpoint-1/model.safetensors").write_text("neither this")
    assert is_exported(own)
    monkeypatch.setattr(export_source, "_sha256", None)  # the new times are known now
    assert is_exported(own)
    assert {path.name for path in own.exported.parent.iterdir()} == {"own", "onnx"}


@pytest.mark.parametrize("kind", ["content", "size", "added", "deleted", "earlier release", "export"])
def test_what_has_changed_is_said_before_an_export(own: Settings, kind: str, caplog: pytest.LogCaptureFixture) -> None:
    weights = next(Path(own.model).glob("*.safetensors"))
    config, added = weights.with_name("config.json"), weights.with_name("added_tokens.json")
    content = weights.read_bytes()
    if kind == "content":
        weights.write_bytes(content[:-1] + bytes([content[-1] ^ 1]))
        os.utime(weights, (0, 0))
    elif kind == "size":
        config.write_text(config.read_text() + " ")
    elif kind == "added":
        added.write_text("{}")
    elif kind == "deleted":
        weights.unlink()
    elif kind == "earlier release":
        manifest = json.loads((own.exported / MANIFEST).read_text())
        (own.exported / MANIFEST).write_text(json.dumps(manifest | {"source": "0" * 64}))
    else:
        (own.exported / GRAPHS["fp32"]).unlink()
    reasons = {
        "content": f"{weights} has changed",
        "size": f"{config} has changed",
        "added": f"{added.name} was added to {weights.parent}",
        "deleted": f"{weights.name} was deleted from {weights.parent}",
        "earlier release": "an earlier release exported it",
        "export": f"{own.exported / GRAPHS['fp32']} is missing or incomplete",
    }
    exports: list[str] = []
    caplog.set_level("INFO")
    ensure_exported(own, lambda report: exports.append("once"))
    assert exports == ["once"]
    [line] = [each.getMessage() for each in caplog.records if each.name == onnx_backend.__name__]
    assert line == f"exporting {own.model} to ONNX, which can take minutes: {reasons[kind]}"


def test_a_manifest_that_cannot_be_read_is_no_export(tmp_path: Path) -> None:
    (tmp_path / MANIFEST).write_text("{")
    assert not is_exported(get_settings().model_copy(update={"exported": tmp_path}))
    assert not is_exported(get_settings().model_copy(update={"exported": tmp_path / "nothing"}))


def test_to_load_the_model_imports_neither_torch_nor_transformers(exported: Path) -> None:
    code = """import sys
from my_project.components import get_settings, load_model
load_model(get_settings())
sys.exit(bool({"torch", "transformers"} & set(sys.modules)))"""
    assert subprocess.run([sys.executable, "-c", code], timeout=120).returncode == 0


def test_an_export_without_torch_is_refused_in_one_line(tmp_path: Path) -> None:
    code = """import sys
sys.modules["torch"] = None
from my_project.cli.program import main
sys.argv = ["", "export", "--force"]
main()"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=120)
    assert done.returncode == 1
    assert done.stderr.strip() == "error: export needs torch, a development dependency"


def test_a_device_that_is_not_there_is_refused_in_one_line() -> None:
    for device in ("cuda:99", "tpu"):
        with pytest.raises(ModelUnavailableError, match=f"device {device} cannot be used"):
            load_model(get_settings().model_copy(update={"device": device}))
