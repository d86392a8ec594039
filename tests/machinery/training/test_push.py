"""The command push, with the client of the hub and a hub on this machine."""

import hashlib
import json
import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import huggingface_hub
import pytest
from huggingface_hub import ModelCard, constants
from machinery.hub import TOKEN
from machinery.model_hub import READER, ModelHub
from typer.testing import CliRunner, Result

from my_project import components
from my_project.cli import push as command
from my_project.cli.program import app
from my_project.registry.hub import CARD, LISTING
from my_project.registry.store import Registry, Version

REPOSITORY = "me/model"
METRICS = {"loss": 0.25, "accuracy": 0.875}

pytestmark = pytest.mark.filterwarnings("ignore:Use 'content=:DeprecationWarning")  # of the client's own uploads


@pytest.fixture
def hub(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[ModelHub]:
    """Yield an empty hub, which the environment names together with a token that may write."""
    with ModelHub() as server:
        template = constants.HUGGINGFACE_CO_URL_TEMPLATE.replace(constants.ENDPOINT, server.endpoint)
        monkeypatch.setattr(constants, "HUGGINGFACE_CO_URL_TEMPLATE", template)
        monkeypatch.setattr(constants, "ENDPOINT", server.endpoint)
        monkeypatch.setattr(constants, "HF_HUB_OFFLINE", False)
        monkeypatch.setattr(constants, "HF_HUB_DISABLE_XET", True)
        monkeypatch.setattr(constants, "HF_TOKEN_PATH", str(tmp_path / "none"))
        monkeypatch.setenv("HF_TOKEN", TOKEN)
        monkeypatch.delenv("HF_TOKEN_FILE", raising=False)
        monkeypatch.setenv("NO_PROXY", "127.0.0.1")
        huggingface_hub.close_session()
        yield server
        server.release.set()
    huggingface_hub.close_session()


@pytest.fixture
def registry(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Registry:
    """Return an empty registry, which the settings name."""
    monkeypatch.setenv("MY_PROJECT_VERSIONS", str(tmp_path / "models"))
    monkeypatch.setenv("MY_PROJECT_MODEL_CACHE", str(tmp_path / "cache"))
    components.get_settings.cache_clear()
    return Registry(str(tmp_path / "models"))


@pytest.fixture
def files(model_folder: Path, tmp_path: Path) -> Path:
    """Return the files of a trained model."""
    folder = shutil.copytree(model_folder, tmp_path / "files")
    report = {
        "training": {"data": str(tmp_path / "reviews.jsonl"), "seed": 7},
        "examples": {"train": 900, "held_out": 100, "sha256": "ab" * 32},
        "base": {"model": "an-org/base", "revision": "main"},
        "packages": {"torch": "2.13.0"},
    }
    (folder / "training.json").write_text(json.dumps(report))
    (folder / "training.png").write_bytes(b"\x89PNG")
    return folder


@pytest.fixture
def version(registry: Registry, files: Path) -> Version:
    """Return a version of the model."""
    return registry.publish(files, METRICS)


def push(*arguments: str) -> Result:
    """Run the command."""
    return CliRunner().invoke(app, [command.__name__.rpartition(".")[2], *arguments])


def error(done: Result) -> str:
    """Return the message of a run that failed, which must be one line without a token."""
    assert done.exit_code == 1
    message = str(done.exception)
    assert "\n" not in message
    assert not any(token in message + done.output for token in (TOKEN, READER, "a-wrong-token"))
    return message


def test_a_version_arrives_whole_with_a_card_and_a_tag(hub: ModelHub, version: Version, files: Path) -> None:
    done = push(REPOSITORY)
    assert done.exit_code == 0, done.exception
    assert done.stdout == f"{hub.endpoint}/{REPOSITORY}/tree/{version.name}\n"
    assert hub.repositories[REPOSITORY].private
    assert hub.tags(REPOSITORY) == {version.name}
    assert hub.messages == [f"Publish version {version.name}"]
    held = hub.files(REPOSITORY, version.name)
    names = version.files.keys() - {"training.json"}
    assert {name: held[name] for name in names} == {name: (files / name).read_bytes() for name in names}
    assert held.keys() == names | {".gitattributes", CARD, LISTING}
    assert any(name.endswith(".safetensors") for name in hub.files(REPOSITORY))
    lines = [line.split("  ", 1) for line in held[LISTING].decode().splitlines()]
    assert {name: sha256 for sha256, name in lines} == {
        name: hashlib.sha256(held[name]).hexdigest() for name in names | {CARD}
    }
    card = ModelCard(held[CARD].decode())
    card.validate()
    assert card.data.eval_results
    assert {each.metric_type: each.metric_value for each in card.data.eval_results} == METRICS
    assert card.data.base_model == "an-org/base"
    assert str(files.parent) not in str(card)


def test_the_same_version_is_pushed_once(hub: ModelHub, version: Version) -> None:
    first = push(REPOSITORY)
    asked = len(hub.requests)
    again = push(REPOSITORY, version.name)
    assert (again.exit_code, again.stdout) == (0, first.stdout)
    assert len(hub.messages) == 1
    assert len(hub.requests) == asked + 1, "it asks for the tags alone"


def test_a_public_repository_takes_a_license(hub: ModelHub, version: Version) -> None:
    assert push(REPOSITORY, "--public", "--license", "apache-2.0").exit_code == 0
    assert not hub.repositories[REPOSITORY].private
    assert ModelCard(hub.files(REPOSITORY)[CARD].decode()).data.license == "apache-2.0"
    assert '"license" must be one of' in error(push("me/other", "--license", "none at all"))
    assert hub.files("me/other").keys() == {".gitattributes"}


def test_the_next_version_replaces_what_was_pushed_and_nothing_else(
    hub: ModelHub, version: Version, files: Path, registry: Registry
) -> None:
    assert push(REPOSITORY).exit_code == 0
    repository = hub.repositories[REPOSITORY]
    lines = [
        {"key": "header", "value": {"summary": "Edit"}},
        *(
            {"key": "file", "value": {"path": name, "content": content}}
            for name, content in (("notes.txt", "bWluZQ=="), (CARD, _edited(hub.files(REPOSITORY)[CARD])))
        ),
    ]
    hub.commit(REPOSITORY, lines)
    (files / "training.png").unlink()
    (files / "training.json").unlink()
    second = registry.publish(files, {"loss": 0.125})
    assert push(REPOSITORY, second.name).exit_code == 0
    held = hub.files(REPOSITORY, second.name)
    assert held["notes.txt"] == b"mine"
    assert "training.png" not in held and "training.png" in hub.files(REPOSITORY, version.name)
    card = ModelCard(held[CARD].decode())
    assert card.text.startswith("\nMy words.\n") and second.name in card.text and version.name not in card.text
    assert (card.data.language, card.data.base_model) == ("de", None)
    assert card.data.eval_results
    assert [(each.metric_type, each.metric_value) for each in card.data.eval_results] == [("loss", 0.125)]
    assert repository.refs["main"] == repository.refs[second.name]


def _edited(card: bytes) -> str:
    import base64

    text = card.decode().replace("---\n", "---\nlanguage: de\n", 1).replace("---\n\n", "---\n\nMy words.\n\n", 1)
    return base64.b64encode(text.encode()).decode()


@pytest.mark.parametrize("name", ["README.md", "config.json", "pytorch_model.bin", "old/model.safetensors"])
def test_files_of_others_stay(hub: ModelHub, version: Version, tmp_path: Path, name: str) -> None:
    theirs = tmp_path / "theirs" / name
    theirs.parent.mkdir(parents=True)
    theirs.write_text("theirs")
    hub.add(REPOSITORY, tmp_path / "theirs")
    assert f"{REPOSITORY} holds files that my-project did not push: {name}" in error(push(REPOSITORY))
    assert hub.files(REPOSITORY) == {name: b"theirs"}
    assert not hub.tags(REPOSITORY)


def test_pickles_are_refused(hub: ModelHub, files: Path, registry: Registry) -> None:
    weights = next(files.rglob("*.safetensors"))
    weights.rename(weights.with_name("pytorch_model.bin"))
    registry.publish(files)
    assert "pytorch_model.bin, a pickle: save them as safetensors" in error(push(REPOSITORY))
    assert not hub.repositories


def test_a_dry_run_prints_the_card_and_asks_nobody(
    hub: ModelHub, version: Version, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("HF_TOKEN")
    done = push(REPOSITORY, "--dry-run")
    assert done.exit_code == 0
    assert ModelCard(done.stdout).data.pipeline_tag
    assert not hub.requests and not hub.repositories


@pytest.mark.parametrize(
    ("token", "arguments", "sentence"),
    [
        ("", (), "there is no token that may write to the hub: set HF_TOKEN, or run `hf auth login`"),
        ("a-wrong-token", (), "the hub does not know this token"),
        (READER, (), "the token may not write to me/model"),
        (TOKEN, ("20200101-000000-00000000",), "has no version 20200101-000000-00000000"),
        (TOKEN, ("../secrets",), "has no version ../secrets"),
    ],
)
def test_a_mistake_is_one_line(
    hub: ModelHub,
    version: Version,
    monkeypatch: pytest.MonkeyPatch,
    token: str,
    arguments: tuple[str, ...],
    sentence: str,
) -> None:
    monkeypatch.setenv("HF_TOKEN", token)
    assert sentence in error(push(REPOSITORY, *arguments))
    assert not hub.repositories


@pytest.mark.parametrize("name", ["model", "", "me/model/more", "me/a--b", "me/\nx", "https://huggingface.co/me/model"])
def test_a_wrong_name_is_one_line(hub: ModelHub, version: Version, name: str) -> None:
    assert "name of a repository" in error(push(name))
    assert not hub.repositories


@pytest.mark.parametrize(("status", "sentence"), [(412, "push again"), (402, "the hub answered 402: Refused")])
def test_a_refused_commit_leaves_nothing(hub: ModelHub, version: Version, status: int, sentence: str) -> None:
    hub.refused["/commit/"] = status
    assert sentence in error(push(REPOSITORY))
    assert hub.files(REPOSITORY).keys() == {".gitattributes"} and not hub.tags(REPOSITORY)


def test_a_refused_upload_leaves_nothing(hub: ModelHub, version: Version) -> None:
    hub.refused["/lfs/"] = 403
    assert "the token may not write to me/model" in error(push(REPOSITORY))
    assert hub.files(REPOSITORY).keys() == {".gitattributes"} and not hub.tags(REPOSITORY)


def test_a_push_that_misses_its_tag_is_completed_without_a_commit(hub: ModelHub, version: Version) -> None:
    hub.refused["/tag/"] = 500
    assert "the hub answered 500" in error(push(REPOSITORY))
    hub.refused.clear()
    assert push(REPOSITORY).exit_code == 0
    assert (len(hub.messages), hub.tags(REPOSITORY)) == (1, {version.name})


def test_a_hub_that_cannot_be_reached_is_one_line(
    hub: ModelHub, version: Version, monkeypatch: pytest.MonkeyPatch
) -> None:
    with ModelHub() as gone:
        pass
    monkeypatch.setattr(constants, "ENDPOINT", gone.endpoint)
    assert error(push(REPOSITORY)).startswith("cannot push to me/model: ")


def test_a_killed_push_leaves_nothing_and_is_done_again(hub: ModelHub, version: Version, tmp_path: Path) -> None:
    (tmp_path / "token").write_text(f"{TOKEN}\n")
    environment = {
        **{name: value for name, value in os.environ.items() if name not in ("HF_TOKEN", "HF_HUB_OFFLINE")},
        "HF_TOKEN_FILE": str(tmp_path / "token"),
        "HF_ENDPOINT": hub.endpoint,
        "HF_HOME": str(tmp_path / "home"),
        "HF_HUB_DISABLE_XET": "1",
    }
    program = [sys.executable, "-m", "my_project", "push", REPOSITORY]
    hub.hold = True
    with subprocess.Popen(program, env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT) as process:
        assert hub.held.wait(60)
        process.send_signal(signal.SIGKILL)
        assert process.stdout and process.stdout.read() == b""
    assert hub.files(REPOSITORY).keys() == {".gitattributes"} and not hub.tags(REPOSITORY)
    hub.hold = False
    hub.release.set()
    done = subprocess.run(program, env=environment, capture_output=True, text=True, timeout=60)
    assert (done.returncode, done.stderr) == (0, "")
    assert hub.tags(REPOSITORY) == {version.name}
