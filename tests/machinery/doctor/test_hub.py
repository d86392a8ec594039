"""The checks of weights, cache and token."""

import hashlib
import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from huggingface_hub import constants

from my_project.components import get_settings
from my_project.doctor import Check, Context, Finding, hub

COMMIT = "0123456789abcdef0123456789abcdef01234567"


@pytest.fixture(autouse=True)
def forgotten() -> Iterator[None]:
    """Let the next test read its own settings."""
    yield
    get_settings.cache_clear()


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return a folder with weights, which the settings name."""
    folder = write_model(tmp_path / "model")
    use(monkeypatch, MODEL=str(folder))
    return folder


@pytest.fixture
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return a cache of the hub that holds weights at a commit, as its library lays it out."""
    repository = tmp_path / "hub/models--an-org--tiny"
    write_model(repository / "snapshots" / COMMIT)
    (repository / "refs").mkdir()
    (repository / "refs/main").write_text(COMMIT)
    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(tmp_path / "hub"))
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", False)
    monkeypatch.setattr(constants, "HF_TOKEN_PATH", str(tmp_path / "token"))
    monkeypatch.delenv("HF_TOKEN", raising=False)
    monkeypatch.delenv("HUGGING_FACE_HUB_TOKEN", raising=False)
    return tmp_path / "hub"


def check(function: Check, thorough: bool = False) -> Finding:
    """Run a check."""
    found = function(Context(thorough, get_settings))
    assert found
    return found


def use(monkeypatch: pytest.MonkeyPatch, **settings: str) -> None:
    """Change settings."""
    for name, value in settings.items():
        monkeypatch.setenv(f"MY_PROJECT_{name}", value)
    get_settings.cache_clear()


def write_model(folder: Path) -> Path:
    """Write one tensor of one number, in the format of safetensors, beside files that look like those of a model."""
    folder.mkdir(parents=True)
    (folder / "config.json").write_text('{"model_type": "tiny"}')
    for name in ("tokenizer.json", "preprocessor_config.json"):
        (folder / name).write_text("{}")
    header = json.dumps({"weight": {"dtype": "F32", "shape": [1], "data_offsets": [0, 4]}}).encode()
    (folder / "model.safetensors").write_bytes(len(header).to_bytes(8, "little") + header + bytes(4))
    return folder


def weights_file(folder: Path) -> Path:
    """Return the file of the model's weights."""
    return next(folder.rglob("*.safetensors"))


def write_manifest(folder: Path) -> Path:
    """Write the manifest of a folder."""
    files = {
        path.name: {"size": path.stat().st_size, "sha256": hashlib.sha256(path.read_bytes()).hexdigest()}
        for path in folder.iterdir()
        if path.is_file()
    }
    manifest: dict[str, Any] = {"model": "an-org/tiny", "revision": "main", "commit": COMMIT, "files": files}
    (folder / hub.MANIFEST).write_text(json.dumps(manifest))
    return folder


def test_a_folder_that_is_whole(folder: Path) -> None:
    assert check(hub.weights, thorough=True).state == "ok"
    write_manifest(folder)
    finding = check(hub.weights, thorough=True)
    assert finding.state == "ok"
    assert COMMIT in finding.found


def test_a_folder_that_lacks_something_is_a_failure(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    whole = weights_file(folder).read_bytes()
    weights_file(folder).write_bytes(whole[:-1])
    assert "is incomplete" in check(hub.weights).found
    weights_file(folder).write_bytes(b"version https://git-lfs.github.com/spec/v1\noid sha256:0\nsize 9\n")
    assert "it lacks the content of model.safetensors: run git lfs pull" in check(hub.weights).found
    weights_file(folder).unlink()
    assert "it has no weights" in check(hub.weights).found
    (folder / "model.safetensors.index.json").write_text(json.dumps({"weight_map": {"a": "model-1.safetensors"}}))
    assert "it lacks model-1.safetensors" in check(hub.weights).found
    (folder / "config.json").unlink()
    assert "it has no config.json" in check(hub.weights).found
    for model in ("/no/such/folder", "./nor/this", ""):
        use(monkeypatch, MODEL=model)
        assert check(hub.weights).state == "fail"


def test_a_manifest_is_compared_by_size_and_thoroughly_by_checksum(folder: Path) -> None:
    write_manifest(folder)
    path = folder / "config.json"
    path.write_bytes(path.read_bytes().swapcase())
    assert check(hub.weights).state == "ok"
    assert "config.json has another checksum" in check(hub.weights, thorough=True).found
    path.write_text("{}")
    assert "config.json has 2 bytes, not" in check(hub.weights).found
    (folder / hub.MANIFEST).write_text(json.dumps({"files": {"gone.txt": {"size": 1, "sha256": ""}}}))
    assert "gone.txt is missing" in check(hub.weights).found


@pytest.mark.parametrize("revision", ["main", COMMIT])
def test_the_cache_is_looked_into_at_the_pinned_revision(
    revision: str, cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    use(monkeypatch, MODEL="an-org/tiny", REVISION=revision)
    assert check(hub.weights).state == "ok"
    assert check(hub.token).found.startswith("none, and none is needed")
    use(monkeypatch, REVISION=COMMIT[::-1])
    assert check(hub.weights).state == "warn"
    assert "download" in check(hub.weights).fix
    assert check(hub.token).state == "warn"
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", True)
    assert check(hub.weights).state == "fail"
    use(monkeypatch, MODEL="no/model/id")
    assert check(hub.weights).state == "fail"


def test_a_file_of_the_cache_is_thoroughly_compared_with_its_name(cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    use(monkeypatch, MODEL="an-org/tiny", REVISION=COMMIT)
    path = weights_file(cache)
    whole = path.read_bytes()
    blob = cache / hashlib.sha256(whole).hexdigest()
    path.rename(blob)
    path.symlink_to(blob)
    assert check(hub.weights, thorough=True).state == "ok"
    blob.write_bytes(whole[:-1] + bytes([whole[-1] ^ 1]))
    assert check(hub.weights).state == "ok"
    assert "another checksum" in check(hub.weights, thorough=True).found


def test_a_cache_that_cannot_be_written_matters_only_for_a_download(
    cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert check(hub.cache_folder).state == "ok"
    monkeypatch.setattr(os, "access", lambda path, mode: False)  # root may write everywhere
    use(monkeypatch, MODEL="an-org/tiny", REVISION=COMMIT)
    assert check(hub.cache_folder).state == "ok"
    use(monkeypatch, MODEL="an-org/other")
    assert check(hub.cache_folder).state == "fail"


def test_a_token_is_found_and_never_shown(cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    use(monkeypatch, MODEL="an-org/other")
    (cache.parent / "token").write_text("hf_secret")
    assert check(hub.token).state == "ok"
    command = [sys.executable, "-m", "my_project", "doctor", "--json"]
    environment = {**os.environ, "HF_TOKEN": "hf_secret", "HF_TOKEN_PATH": str(cache.parent / "token")}
    done = subprocess.run(command, capture_output=True, text=True, timeout=300, env=environment)
    assert "in the environment" in done.stdout
    assert "hf_secret" not in done.stdout + done.stderr
