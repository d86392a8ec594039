"""The model's files: from a stand-in of the hub, from its cache or in a folder."""

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import huggingface_hub
import pytest
from huggingface_hub import constants
from machinery.hub import Hub

from my_project.errors import ModelUnavailableError
from my_project.inference import file_selection
from my_project.inference.model_files import identify, locate
from my_project.settings import Settings

NAME = "an-org/a-model"
BAKE = Path(__file__).parents[3] / "docker/weights.py"


@pytest.fixture
def hub(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Hub]:
    """Yield a stand-in of the hub, with an empty cache."""
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", False)
    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(tmp_path / "cache"))
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    huggingface_hub.close_session()
    with Hub() as hub:
        template = constants.HUGGINGFACE_CO_URL_TEMPLATE.replace(constants.ENDPOINT, hub.endpoint)
        monkeypatch.setattr(constants, "HUGGINGFACE_CO_URL_TEMPLATE", template)
        monkeypatch.setattr(constants, "ENDPOINT", hub.endpoint)
        yield hub
    huggingface_hub.close_session()


@pytest.fixture
def repository(model_folder: Path, tmp_path: Path) -> Path:
    """Return the tiny model with checkpoints, weights of others and states of a training beside it."""
    folder = shutil.copytree(model_folder, tmp_path / "repository")
    others = [f"checkpoint-{step}/model.safetensors" for step in (500, 1000, 1500)]
    others += [f"checkpoint-{step}/optimizer.pt" for step in (500, 1000, 1500)]
    for name in (*others, "consolidated.safetensors", "pytorch_model.bin", "onnx/model.onnx", "training_args.bin"):
        (folder / name).parent.mkdir(exist_ok=True)
        (folder / name).write_text("not these")
    return folder


def contents(folder: Path) -> dict[str, bytes]:
    """Return the files of a folder."""
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def test_a_folder_with_a_manifest_has_its_name_on_the_hub(tmp_path: Path) -> None:
    assert identify(Settings(model=str(tmp_path))) == (str(tmp_path), None)
    manifest = {"model": "an-org/a-model", "revision": "main", "commit": "0" * 40, "files": {}}
    (tmp_path / "weights.json").write_text(json.dumps(manifest))
    assert identify(Settings(model=str(tmp_path))) == ("an-org/a-model", "0" * 40)
    assert identify(Settings(model="an-org/a-model", revision="v1")) == ("an-org/a-model", "v1")


def test_one_copy_of_the_weights_is_downloaded(hub: Hub, repository: Path, model_folder: Path) -> None:
    hub.add(NAME, repository)
    assert contents(locate(Settings(model=NAME, revision="main"))) == contents(model_folder)


def test_weights_at_the_top_are_downloaded_though_a_checkpoint_has_others(hub: Hub, repository: Path) -> None:
    (repository / "model.safetensors").unlink()
    hub.add(NAME, repository)
    found = contents(locate(Settings(model=NAME, revision="main")))
    assert found["pytorch_model.bin"] == b"not these"
    assert not [name for name in found if "checkpoint" in name or name.endswith(".safetensors")]


def test_a_commit_in_the_cache_needs_no_hub_unless_a_file_is_missing(hub: Hub, repository: Path) -> None:
    settings = Settings(model=NAME, revision=hub.add(NAME, repository))
    folder = locate(settings)
    hub.requests.clear()
    assert locate(settings) == folder
    assert not hub.requests
    whole = contents(folder)
    (folder / "model.safetensors").unlink()
    assert contents(locate(settings)) == whole
    assert hub.requests
    (folder / "config.json").unlink()
    assert contents(locate(settings, ask_hub=True)) == whole


def test_weights_are_downloaded_last(hub: Hub, repository: Path) -> None:
    commit = hub.add(NAME, repository)
    hub.cut("model.safetensors", 10, times=100, reset=True)
    settings = Settings(model=NAME, revision=commit)
    with pytest.raises(ModelUnavailableError, match=f"{NAME} could not be downloaded"):
        locate(settings)
    texts = [name for name in contents(repository) if name.endswith("json") and "checkpoint" not in name]
    assert set(texts) <= set(hub.downloaded()), "what is in the cache with its weights is complete"


def test_what_a_repository_lacks_is_named_before_a_download(hub: Hub, repository: Path) -> None:
    for name in ("model.safetensors", "pytorch_model.bin", "consolidated.safetensors"):
        (repository / name).unlink()
    hub.add(NAME, repository)
    with pytest.raises(ModelUnavailableError, match=f"{NAME} has no weights: .* only weights of a checkpoint"):
        locate(Settings(model=NAME, revision="main"))
    assert not [name for name in hub.downloaded() if not name.endswith(".json")]


def test_what_the_cache_lacks_is_named_without_a_hub(
    hub: Hub, repository: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings = Settings(model=NAME, revision=hub.add(NAME, repository))
    (locate(settings) / "model.safetensors").unlink()
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", True)
    huggingface_hub.close_session()
    with pytest.raises(ModelUnavailableError, match=f"{NAME} has no weights: .*run the command download"):
        locate(settings)


@pytest.mark.skipif(not BAKE.is_file(), reason="bakes no weights into its images")
def test_an_image_gets_the_files_that_a_download_gets(hub: Hub, repository: Path, tmp_path: Path) -> None:
    def bake(folder: Path) -> subprocess.CompletedProcess[str]:
        environment = {**os.environ, "HF_ENDPOINT": hub.endpoint, "HF_HOME": str(tmp_path / "home")}
        environment |= {"PYTHONPATH": str(Path(file_selection.__file__).parent), "HF_HUB_OFFLINE": "0"}
        command = [sys.executable, "-P", str(BAKE), NAME, "main", str(folder)]
        return subprocess.run(command, env=environment, capture_output=True, text=True, timeout=60)

    hub.add(NAME, repository)
    done = bake(tmp_path / "baked")
    assert done.returncode == 0, done.stderr
    baked = contents(tmp_path / "baked")
    manifest = json.loads(baked.pop("weights.json"))
    assert baked == contents(locate(Settings(model=NAME, revision="main")))
    assert set(manifest["files"]) == set(baked)
    (repository / "config.json").unlink()
    (repository / "modules.json").unlink(missing_ok=True)
    hub.add(NAME, repository)
    done = bake(tmp_path / "broken")
    assert (done.returncode, done.stderr) == (
        1,
        f"weights: {NAME} has no config.json: it is not a transformers model\n",
    )
