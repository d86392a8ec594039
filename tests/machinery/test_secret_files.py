"""Settings whose values are in files."""

import os
from pathlib import Path

import pytest
from pydantic import Field, SecretStr, ValidationError
from pydantic_settings import SettingsConfigDict

from my_project.base_settings import ServiceSettings
from my_project.secret_files import MAX_SECRET_BYTES


class Settings(ServiceSettings):
    """Settings of an owner, with a secret, a list, and two that look like the file of another."""

    model_config = SettingsConfigDict(env_file="own.env")
    api_token: SecretStr | None = None
    greetings: list[str] = Field(default_factory=list)
    keys: str = "none"
    keys_file: Path | None = None


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return the working folder, without settings of the environment."""
    monkeypatch.chdir(tmp_path)
    for name in list(os.environ):
        if name.startswith("MY_PROJECT_"):
            monkeypatch.delenv(name)
    return tmp_path


def token(settings: Settings) -> str:
    """Return the secret as a text."""
    return settings.api_token.get_secret_value() if settings.api_token else ""


def refusal() -> str:
    """Return where and why the settings are refused, which is one line that does not show the content of a file."""
    with pytest.raises(ValidationError) as caught:
        Settings()
    [error] = caught.value.errors(include_input=False)
    said = f"{error['loc'][0]}: {error['msg']}"
    assert len(said.splitlines()) == 1
    assert "hunter2" not in str(caught.value)
    return said


@pytest.mark.parametrize(
    ("content", "value"),
    [
        (b"hunter2", "hunter2"),
        (b"hunter2\n", "hunter2"),
        (b"hunter2\r\n\r\n", "hunter2"),
        (b"\xef\xbb\xbfhunter2", "hunter2"),
        (b" a 'secret' $value\twith \n spaces ", " a 'secret' $value\twith \n spaces "),
        ("Größe".encode(), "Größe"),
        (b"x" * MAX_SECRET_BYTES, "x" * MAX_SECRET_BYTES),
    ],
)
def test_the_content_of_a_file_is_the_value(
    content: bytes, value: str, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (folder / "secret").write_bytes(content)
    monkeypatch.setenv("MY_PROJECT_API_TOKEN_FILE", str(folder / "secret"))
    assert token(Settings()) == value
    assert value not in os.environ.values()


def test_the_file_wins_over_the_variable_and_an_argument_over_both(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (folder / "secret").write_text("from the file")
    (folder / "own.env").write_text("MY_PROJECT_API_TOKEN=from .env\n")
    monkeypatch.setenv("MY_PROJECT_API_TOKEN", "from the environment")
    assert token(Settings()) == "from the environment"
    monkeypatch.setenv("MY_PROJECT_API_TOKEN_FILE", "secret")
    assert token(Settings()) == "from the file"
    assert token(Settings(api_token=SecretStr("given"))) == "given"


def test_the_path_can_be_in_the_env_file_and_the_environment_wins(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (folder / "one").write_text("one")
    (folder / "two").write_text("two")
    (folder / "own.env").write_text("MY_PROJECT_API_TOKEN_FILE=one\n")
    assert token(Settings()) == "one"
    monkeypatch.setenv("my_project_api_token_file", "two")
    assert token(Settings()) == "two"


def test_an_empty_variable_names_no_file(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MY_PROJECT_API_TOKEN_FILE", "")
    monkeypatch.setenv("MY_PROJECT_API_TOKEN", "from the environment")
    assert token(Settings()) == "from the environment"


def test_values_of_files_are_validated_like_others(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (folder / "list").write_text('["a", "b"]\n')
    (folder / "size").write_text("7\n")
    monkeypatch.setenv("MY_PROJECT_GREETINGS_FILE", "list")
    monkeypatch.setenv("MY_PROJECT_MAX_BATCH_SIZE_FILE", "size")
    assert (Settings().greetings, Settings().max_batch_size) == (["a", "b"], 7)
    (folder / "size").write_text("many")
    with pytest.raises(ValidationError, match="max_batch_size"):
        Settings()


def test_a_setting_that_is_a_path_itself_is_not_the_content_of_another(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (folder / "keys").write_text("content")
    monkeypatch.setenv("MY_PROJECT_KEYS_FILE", "keys")
    assert (Settings().keys, Settings().keys_file) == ("none", Path("keys"))
    (folder / "path").write_text("keys\n")
    monkeypatch.delenv("MY_PROJECT_KEYS_FILE")
    monkeypatch.setenv("MY_PROJECT_KEYS_FILE_FILE", "path")
    assert Settings().keys_file == Path("keys")


def test_files_of_unknown_settings_are_not_read(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MY_PROJECT_NOTHING_FILE", "/nowhere")
    monkeypatch.setenv("API_TOKEN_FILE", "/nowhere")
    assert Settings().api_token is None


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (None, "cannot read secret: No such file or directory"),
        (b"", "secret is empty"),
        (b"\r\n\n", "secret is empty"),
        (b"hunter2\xff", "secret is not UTF-8 text"),
        (b"hunter2" * MAX_SECRET_BYTES, "secret is larger than 65536 bytes: name a file that holds the value alone"),
    ],
)
def test_a_file_that_cannot_be_used_is_named_in_one_line(
    content: bytes | None, reason: str, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    if content is not None:
        (folder / "secret").write_bytes(content)
    monkeypatch.setenv("MY_PROJECT_API_TOKEN_FILE", "secret")
    assert refusal() == f"MY_PROJECT_API_TOKEN_FILE: {reason}"


def test_folders_and_pipes_are_refused_without_waiting(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    os.mkfifo(folder / "pipe")
    for name in (".", "pipe"):
        monkeypatch.setenv("MY_PROJECT_API_TOKEN_FILE", name)
        assert refusal() == f"MY_PROJECT_API_TOKEN_FILE: {name} is not a file"


@pytest.mark.skipif(os.geteuid() == 0, reason="root reads every file")
def test_a_file_without_permission_is_named(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (folder / "secret").write_text("hunter2")
    (folder / "secret").chmod(0)
    monkeypatch.setenv("MY_PROJECT_API_TOKEN_FILE", "secret")
    assert refusal() == "MY_PROJECT_API_TOKEN_FILE: cannot read secret: Permission denied"
