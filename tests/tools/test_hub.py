"""The stand-in of the Hugging Face Hub is one as far as ``huggingface_hub`` can tell."""

import os
import re
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import huggingface_hub
import pytest
from huggingface_hub import RepoFile, constants
from huggingface_hub.errors import (
    EntryNotFoundError,
    GatedRepoError,
    LocalEntryNotFoundError,
    RepositoryNotFoundError,
    RevisionNotFoundError,
)

from tests.hub import Hub

ROOT = Path(__file__).resolve().parents[2]
REPO = "org/name"
FILES = {
    "config.json": b'{"model_type": "bert"}\n',
    "model.safetensors": bytes(range(256)) * 2000,
    "1_Pooling/config.json": b"{}\n",
    "with space.txt": "für alle\n".encode(),
    "empty.txt": b"",
}
Fetch = Callable[..., Path]


@pytest.fixture(autouse=True)
def alone(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whatever is set for the real Hub on this machine has no say here."""
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", False)
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    huggingface_hub.close_session()


@pytest.fixture
def hub() -> Iterator[Hub]:
    """Yield a hub without repositories."""
    with Hub() as server:
        yield server


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Return the files of a model."""
    return write(tmp_path / "model", FILES)


@pytest.fixture
def fetch(hub: Hub, tmp_path: Path) -> Fetch:
    """``snapshot_download`` from the hub to a cache of its own, without a token."""

    def download(repo: str = REPO, **options: Any) -> Path:
        options = {"token": False, "cache_dir": tmp_path / "cache", **options}
        return Path(huggingface_hub.snapshot_download(repo, endpoint=hub.endpoint, **options))

    return download


def write(folder: Path, files: dict[str, bytes]) -> Path:
    """Write files to a folder."""
    for name, data in files.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(data)
    return folder


def contents(folder: Path) -> dict[str, bytes]:
    """Return the files of a folder."""
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def test_a_commit_a_tag_and_the_default_branch(hub: Hub, folder: Path, fetch: Fetch, tmp_path: Path) -> None:
    old = hub.add(REPO, folder, ["v1"])
    new = hub.add(REPO, write(tmp_path / "model", {"config.json": b"{}\n"}))
    assert re.fullmatch("[0-9a-f]{40}", old) and old != new
    assert hub.add("org/copy", folder) == new
    for revision, commit in (("v1", old), (old, old), (None, new), ("main", new), (new, new)):
        found = fetch(revision=revision)
        assert found.name == commit
        assert contents(found) == FILES | ({"config.json": b"{}\n"} if commit == new else {})
    assert not any(request.authorization for request in hub.requests)


def test_commits_can_be_named(hub: Hub, folder: Path, fetch: Fetch) -> None:
    own = hub.add(REPO, folder, {"main": "a" * 40, "refs/pr/1": "b" * 40})
    assert [fetch(revision=name).name for name in ("main", "refs/pr/1", own)] == ["a" * 40, "b" * 40, own]
    with pytest.raises(ValueError, match="not the id of a commit: v1"):
        hub.add(REPO, folder, {"main": "v1"})


def test_a_repository_without_an_organisation(hub: Hub, folder: Path, fetch: Fetch) -> None:
    hub.add("gpt2", folder)
    assert contents(fetch("gpt2", revision="main")) == FILES


@pytest.mark.parametrize("revision", ["v2", "0" * 40])
def test_an_unknown_revision(hub: Hub, folder: Path, fetch: Fetch, revision: str) -> None:
    hub.add(REPO, folder)
    with pytest.raises(RevisionNotFoundError, match=f"Invalid rev id: {revision}"):
        fetch(revision=revision)


@pytest.mark.parametrize("token", [False, "wrong", "right"])
def test_an_unknown_repository(hub: Hub, fetch: Fetch, token: bool | str) -> None:
    with pytest.raises(RepositoryNotFoundError) as caught:
        fetch(token=hub.token if token == "right" else token)
    assert caught.value.response.status_code == (404 if token else 401)
    assert not isinstance(caught.value, GatedRepoError)


def test_an_unknown_file(hub: Hub, folder: Path, tmp_path: Path) -> None:
    commit = hub.add(REPO, folder)
    for name in ("absent.json", "1_Pooling"):
        with pytest.raises(EntryNotFoundError):
            huggingface_hub.hf_hub_download(REPO, name, endpoint=hub.endpoint, cache_dir=tmp_path, token=False)
    assert (tmp_path / "models--org--name" / ".no_exist" / commit / "absent.json").is_file()


def test_a_gated_repository(hub: Hub, folder: Path, fetch: Fetch) -> None:
    hub.add(REPO, folder, gated=True)
    api = huggingface_hub.HfApi(endpoint=hub.endpoint, token=False)
    assert api.model_info(REPO).gated == "auto" and set(api.list_repo_files(REPO)) == set(FILES)
    for token, status in ((False, 401), ("wrong", 403)):
        with pytest.raises(GatedRepoError, match="Access to model org/name is restricted") as caught:
            fetch(token=token)
        assert caught.value.response.status_code == status
    assert contents(fetch(token=hub.token)) == FILES
    assert any(request.authorization for request in hub.requests)
    assert hub.token not in repr(hub.requests)


def test_a_private_repository(hub: Hub, folder: Path, fetch: Fetch) -> None:
    hub.add(REPO, folder, private=True)
    for token in (False, "wrong"):
        with pytest.raises(RepositoryNotFoundError):
            fetch(token=token)
    assert contents(fetch(token=hub.token)) == FILES


def test_only_wanted_files_are_downloaded(hub: Hub, folder: Path, fetch: Fetch) -> None:
    hub.add(REPO, folder)
    found = fetch(allow_patterns=["*.json"])
    assert set(contents(found)) == set(hub.downloaded()) == {"config.json", "1_Pooling/config.json"}


def test_nothing_is_downloaded_twice(hub: Hub, folder: Path, fetch: Fetch) -> None:
    commit = hub.add(REPO, folder)
    fetch()
    assert sorted(hub.downloaded()) == sorted(name for name, data in FILES.items() if data)
    hub.requests.clear()
    fetch()
    assert [request.path for request in hub.requests] == [f"/api/models/{REPO}/revision/main"]
    hub.requests.clear()
    fetch(revision=commit)
    assert fetch(local_files_only=True).name == commit
    assert not hub.requests


def test_what_the_hub_tells_of_files(hub: Hub, folder: Path) -> None:
    commit = hub.add(REPO, folder)
    api = huggingface_hub.HfApi(endpoint=hub.endpoint, token=False)
    files = {entry.path: entry for entry in api.list_repo_tree(REPO, recursive=True) if isinstance(entry, RepoFile)}
    siblings = {file.rfilename: file for file in api.model_info(REPO, files_metadata=True).siblings or []}
    for name, data in FILES.items():
        assert files[name].size == siblings[name].size == len(data)
        assert files[name].blob_id == siblings[name].blob_id
        assert files[name].lfs == siblings[name].lfs
        url = huggingface_hub.hf_hub_url(REPO, name, endpoint=hub.endpoint)
        metadata = huggingface_hub.get_hf_file_metadata(url, token=False)
        assert (metadata.commit_hash, metadata.size, metadata.xet_file_data) == (commit, len(data), None)
        lfs = files[name].lfs
        assert metadata.etag == (lfs.sha256 if lfs else files[name].blob_id)
    assert [name for name, file in files.items() if file.lfs] == ["model.safetensors"]
    git = subprocess.run(["git", "hash-object", folder / "config.json"], capture_output=True, text=True, check=True)
    assert files["config.json"].blob_id == git.stdout.strip()
    assert [entry.path for entry in api.list_repo_tree(REPO)] == [
        "1_Pooling",
        *sorted(set(FILES) - {"1_Pooling/config.json"}),
    ]
    assert [entry.path for entry in api.list_repo_tree(REPO, "1_Pooling")] == ["1_Pooling/config.json"]
    with pytest.raises(EntryNotFoundError):
        list(api.list_repo_tree(REPO, "absent"))


@pytest.mark.parametrize(
    ("asked", "status", "part"),
    [
        ("bytes=5-", 206, slice(5, None)),
        ("bytes=5-9", 206, slice(5, 10)),
        ("bytes=0-100000000", 206, slice(None)),
        ("bytes=-7", 206, slice(-7, None)),
        ("bytes=512000-", 416, slice(0)),
        ("lines=1-2", 200, slice(None)),
    ],
)
def test_ranges(hub: Hub, folder: Path, asked: str, status: int, part: slice) -> None:
    hub.add(REPO, folder)
    url = f"{hub.endpoint}/{REPO}/resolve/main/model.safetensors"
    answer = huggingface_hub.get_session().get(url, headers={"Range": asked})
    assert answer.status_code == status and hub.requests[-1].range == asked
    assert status == 416 or answer.content == FILES["model.safetensors"][part]


def test_a_download_that_ends_early_is_resumed(
    hub: Hub, folder: Path, fetch: Fetch, monkeypatch: pytest.MonkeyPatch
) -> None:
    hub.add(REPO, folder)
    monkeypatch.setattr(constants, "DOWNLOAD_CHUNK_SIZE", 30_000)
    hub.cut("model.safetensors", 100_000)
    assert contents(fetch(allow_patterns="*.safetensors")) == {"model.safetensors": FILES["model.safetensors"]}
    assert [request.range for request in hub.requests if request.method == "GET"][-2:] == ["", "bytes=90000-"]


def test_a_download_that_breaks_off_leaves_nothing_broken(hub: Hub, folder: Path, fetch: Fetch, tmp_path: Path) -> None:
    hub.add(REPO, folder)
    hub.cut("model.safetensors", 100_000, reset=True)
    with pytest.raises(Exception, match="reset"):
        fetch()
    assert "model.safetensors" not in {path.name for path in (tmp_path / "cache").rglob("*")}
    assert not list((tmp_path / "cache").rglob("*.incomplete"))
    assert contents(fetch()) == FILES


def test_nobody_answers_after_the_end(folder: Path, tmp_path: Path) -> None:
    with Hub() as hub:
        hub.add(REPO, folder)
    with pytest.raises(LocalEntryNotFoundError):
        huggingface_hub.snapshot_download(REPO, endpoint=hub.endpoint, cache_dir=tmp_path / "cache", token=False)


def test_the_program(folder: Path, fetch: Fetch, tmp_path: Path) -> None:
    command = [sys.executable, "-m", "tests.hub", "--folder", f"{REPO}@v1={folder}", "--gated", REPO, "--token", "abc"]
    with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True) as program:
        try:
            assert program.stdout
            endpoint, told = (program.stdout.readline().strip() for _ in range(2))
            environment = {**os.environ, "HF_ENDPOINT": endpoint, "HF_HOME": str(tmp_path / "home"), "HF_TOKEN": "abc"}
            environment |= {"HF_HUB_OFFLINE": "0", "NO_PROXY": "127.0.0.1"}
            code = f"from huggingface_hub import snapshot_download; print(snapshot_download({REPO!r}, revision='v1'))"
            done = subprocess.run(
                [sys.executable, "-c", code], env=environment, capture_output=True, text=True, timeout=60
            )
            found = Path(done.stdout.strip())
            assert done.returncode == 0 and found.is_relative_to(tmp_path / "home"), done.stderr
            assert contents(found) == FILES and told == f"{REPO} v1 {found.name}"
        finally:
            program.send_signal(signal.SIGTERM)
    assert program.returncode == 0
