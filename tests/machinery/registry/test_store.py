"""The model registry, in a folder and in a file system of fsspec."""

import json
import os
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import fsspec
import pytest

from my_project.errors import InvalidInputError, ModelUnavailableError
from my_project.registry.store import CACHED_VERSIONS, MANIFEST, NAME, Registry

OLD, YOUNG = "20200101-000000-00000000", "20200101-000000-00000001"


@pytest.fixture(params=["folder", "elsewhere"])
def registry(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Registry]:
    """Return an empty registry."""
    if request.param == "folder":
        yield Registry(str(tmp_path / "models"))
    else:
        yield Registry("memory://models")
        fsspec.filesystem("memory").store.clear()


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Return the files of a model."""
    (tmp_path / "new/deep").mkdir(parents=True)
    (tmp_path / "new/model.bin").write_bytes(b"weights" * 1000)
    (tmp_path / "new/deep/labels.json").write_text("[]")
    return tmp_path / "new"


def path_in(registry: Registry, path: str) -> tuple[fsspec.AbstractFileSystem, str]:
    """Return file system and path of a file in the registry, to change it."""
    files, root = fsspec.core.url_to_fs(registry.address)
    return files, f"{root}/{path}"


def test_a_published_version_can_be_fetched(registry: Registry, folder: Path, tmp_path: Path) -> None:
    version = registry.publish(folder, {"rmse": 0.5})
    assert NAME.fullmatch(version.name)
    found = registry.find()
    assert (found.name, found.metrics, found.size) == (version.name, {"rmse": 0.5}, 7002)
    fetched = registry.fetch(found, tmp_path / "cache")
    assert (fetched / "model.bin").read_bytes() == b"weights" * 1000
    assert (fetched / "deep/labels.json").read_text() == "[]"
    assert registry.fetch(found, tmp_path / "cache") == fetched


def test_latest_is_the_version_published_last_whatever_the_clock(registry: Registry, folder: Path) -> None:
    names = [registry.publish(folder).name for _ in range(3)]
    assert registry.names() == names[::-1]
    assert registry.find().name == names[2]
    assert registry.find(names[0]).name == names[0]


def test_downloads_that_nobody_resumes_are_deleted(folder: Path, tmp_path: Path) -> None:
    registry, cache = Registry("memory://models"), tmp_path / "cache"
    version = registry.publish(folder)
    old, young, other = (cache / name for name in (f".{OLD}.part", f".{YOUNG}.part", ".mine.part"))
    for each in (old, young, other):
        (each / "deep").mkdir(parents=True)
        (each / "deep/model.bin").write_bytes(b"half")
    for each in (old, *old.rglob("*"), other, *other.rglob("*")):
        os.utime(each, (time.time() - 200_000,) * 2)
    os.utime(young, (time.time() - 200_000,) * 2)
    registry.fetch(version, cache)
    assert [each.exists() for each in (old, young, other)] == [False, True, True]
    fsspec.filesystem("memory").store.clear()


def test_a_version_without_a_manifest_does_not_exist(registry: Registry, folder: Path) -> None:
    version = registry.publish(folder)
    files, place = path_in(registry, f"{version.name}/{MANIFEST}")
    files.rm_file(place)
    assert registry.names() == []
    with pytest.raises(ModelUnavailableError, match="has no version latest"):
        registry.find()


def test_a_failed_upload_leaves_no_version(registry: Registry, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*arguments: object) -> None:
        raise OSError("No space left on device")

    before = registry.publish(folder).name
    monkeypatch.setattr(registry, "_put", full)
    with pytest.raises(ModelUnavailableError, match="No space left"):
        registry.publish(folder)
    assert registry.names() == [before]


def test_an_abandoned_upload_is_deleted_by_a_later_one(registry: Registry, folder: Path) -> None:
    files, place = path_in(registry, "20200102-030405-0123abcd/model.bin")
    files.makedirs(place.rpartition("/")[0], exist_ok=True)
    files.pipe_file(place, b"half")
    registry.publish(folder)
    assert not files.exists(place)


def test_an_unknown_version_is_refused_with_a_list_of_versions(registry: Registry, folder: Path) -> None:
    with pytest.raises(ModelUnavailableError, match="make one with the command train"):
        registry.find()
    name = registry.publish(folder).name
    for unknown in ("20200102-030405-0123abcd", "../secret", "newest"):
        with pytest.raises(ModelUnavailableError, match=f"has no version .*{name}"):
            registry.find(unknown)


@pytest.mark.parametrize("content", [b"weights" * 999 + b"weightz", b"weights"], ids=["changed", "cut"])
def test_a_changed_file_is_refused(registry: Registry, folder: Path, tmp_path: Path, content: bytes) -> None:
    version = registry.publish(folder)
    files, place = path_in(registry, f"{version.name}/model.bin")
    files.pipe_file(place, content)
    with pytest.raises(ModelUnavailableError, match=r"model\.bin differs from what was published"):
        registry.fetch(version, tmp_path / "cache")
    files.pipe_file(place, b"weights" * 1000)
    assert registry.fetch(version, tmp_path / "cache")


@pytest.mark.parametrize("change", [{"files": {"../../outside": {"size": 0, "sha256": "0" * 64}}}, {"files": {}}])
def test_a_broken_manifest_is_refused(registry: Registry, folder: Path, change: dict[str, object]) -> None:
    version = registry.publish(folder)
    files, place = path_in(registry, f"{version.name}/{MANIFEST}")
    files.pipe_file(place, json.dumps(json.loads(files.cat_file(place)) | change).encode())
    with pytest.raises(ModelUnavailableError, match=r"the manifest of .* is broken"):
        registry.find()
    registry.delete(version.name)
    assert registry.names() == []


def test_an_interrupted_download_is_resumed(folder: Path, tmp_path: Path) -> None:
    registry = Registry("memory://resumed")
    version = registry.publish(folder)
    partial = tmp_path / "cache" / f".{version.name}.part"
    partial.mkdir(parents=True)
    (partial / "model.bin").write_bytes(b"weights" * 10)
    with fsspec.filesystem("memory").open(f"memory://resumed/{version.name}/model.bin", "r+b") as stored:
        stored.write(b"?")  # visible only to a download from the beginning
    assert (registry.fetch(version, tmp_path / "cache") / "model.bin").read_bytes() == b"weights" * 1000


def test_several_threads_fetch_the_same_version(folder: Path, tmp_path: Path) -> None:
    registry = Registry("memory://shared")
    version = registry.publish(folder)
    found: list[Path] = []
    threads = [threading.Thread(target=lambda: found.append(registry.fetch(version, tmp_path / "c"))) for _ in range(4)]
    for each in threads:
        each.start()
    for each in threads:
        each.join()
    assert found == [tmp_path / "c" / version.name] * 4


def test_the_cache_keeps_the_newest_versions(folder: Path, tmp_path: Path) -> None:
    registry = Registry("memory://many")
    versions = [registry.publish(folder) for _ in range(CACHED_VERSIONS + 3)]
    for each in versions:
        registry.fetch(each, tmp_path / "cache")
    kept = {each.name for each in (tmp_path / "cache").iterdir() if NAME.fullmatch(each.name)}
    assert kept == {each.name for each in versions[-CACHED_VERSIONS:]}


def test_a_deleted_version_is_gone(registry: Registry, folder: Path) -> None:
    first, second = registry.publish(folder).name, registry.publish(folder).name
    registry.delete(second)
    assert registry.names() == [first]


def test_a_metric_that_json_cannot_hold_is_left_out(registry: Registry, folder: Path) -> None:
    registry.publish(folder, {"loss": float("nan"), "accuracy": 0.5})
    assert registry.find().metrics == {"accuracy": 0.5}


def test_an_unknown_address_is_refused() -> None:
    with pytest.raises(ModelUnavailableError, match="nowhere://models cannot be used"):
        Registry("nowhere://models")


def test_an_empty_folder_is_refused(registry: Registry, tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    with pytest.raises(InvalidInputError, match="has no files"):
        registry.publish(tmp_path / "empty")
