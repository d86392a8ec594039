"""The command serve says who may use the server."""

import subprocess
import sys
from contextlib import closing
from http.client import HTTPConnection
from pathlib import Path

import pytest
from machinery.live import TIMEOUT_SECONDS, address, read_until, served

WARNING = "no API keys: whoever reaches 0.0.0.0 may use the API; make one with keys make"


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Run the server in an empty folder."""
    monkeypatch.chdir(tmp_path)
    return tmp_path


def log(*arguments: str) -> str:
    """Return the log of a server up to the URL that it listens on."""
    with served("-m", "my_project", "serve", *arguments) as (process, lines):
        if "Uvicorn running" not in "".join(lines):
            read_until(process, lines, "Uvicorn running")
        return "".join(lines)


def test_a_server_for_other_machines_without_keys_warns_in_one_line(folder: Path) -> None:
    assert log("--host", "0.0.0.0").count(WARNING) == 1
    (folder / "keys").mkdir()
    (folder / "keys/api_keys").touch()
    assert "API keys" not in log("--host", "0.0.0.0")


def test_a_server_for_this_machine_says_nothing() -> None:
    assert "API keys" not in log()


def test_the_address_of_the_command_line_decides_which_host_names_are_trusted() -> None:
    with served("-m", "my_project", "serve", "--host", "0.0.0.0") as (process, lines):
        if "Uvicorn running" not in "".join(lines):
            read_until(process, lines, "Uvicorn running")
        connection = HTTPConnection("127.0.0.1", address(lines).port, timeout=TIMEOUT_SECONDS)
        with closing(connection):
            connection.request("GET", "/health", headers={"Host": "proxied.example"})
            assert connection.getresponse().status == 200


def test_a_broken_file_of_keys_is_one_line(folder: Path) -> None:
    (folder / "keys").mkdir()
    (folder / "keys/api_keys").write_text("laptop sk-secret\n")
    command = [sys.executable, "-m", "my_project", "serve", "--port", "0"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120)
    assert done.returncode == 1
    assert done.stderr == "error: keys/api_keys, line 1: expected NAME sha256:HASH, and optionally admin\n"
