"""The command keys."""

import hashlib
import subprocess
import sys
from pathlib import Path

import pytest

from my_project.server.api_keys import parse


def run(*arguments: str) -> subprocess.CompletedProcess[str]:
    """Run the command as a person would."""
    command = [sys.executable, "-m", "my_project", "keys", *arguments]
    return subprocess.run(command, capture_output=True, text=True, timeout=120)


@pytest.fixture
def file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return the file of keys, which does not exist yet."""
    path = tmp_path / "secrets" / "api_keys"
    monkeypatch.setenv("MY_PROJECT_API_KEYS_FILE", str(path))
    return path


def test_a_key_is_shown_once_and_only_its_hash_is_stored(file: Path) -> None:
    made = run("make", "laptop")
    assert made.returncode == 0, made.stderr
    [key] = made.stdout.split()
    assert key not in made.stderr
    assert file.stat().st_mode & 0o777 == 0o600
    assert file.parent.stat().st_mode & 0o777 == 0o700
    assert file.read_text() == f"laptop sha256:{hashlib.sha256(key.encode()).hexdigest()}\n"
    assert run("make", "root", "--admin").returncode == 0
    listed = run("list")
    assert listed.stdout.splitlines() == [f"laptop\t\t{file}", f"root\tadmin\t{file}"]
    assert run("revoke", "laptop").returncode == 0
    assert [key.name for key in parse(file.read_text(), "file")] == ["root"]
    last = run("revoke", "root")
    assert "a running server refuses every request" in last.stderr
    assert file.read_text() == ""


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["make", "laptop"], "has a key laptop already: choose another name, or revoke that key first"),
        (["revoke", "other"], "has no key other"),
        (["make", "Laptop"], "'Laptop' is not a name: use up to 64 of a-z"),
        (["make", "a b"], "is not a name"),
        (["make", "../a"], "is not a name"),
        (["make", "a\nb sha256:00"], "is not a name"),
        (["make", "x" * 65], "is not a name"),
        (["make", ""], "is not a name"),
        (["make", "ci"], "ci is a key of the setting api_keys: change it there"),
        (["revoke", "ci"], "ci is a key of the setting api_keys: change it there"),
    ],
)
def test_a_name_that_does_not_fit_is_one_line(
    file: Path, arguments: list[str], message: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MY_PROJECT_API_KEYS", f"ci sha256:{'0' * 64}")
    file.parent.mkdir()
    file.write_text(f"laptop sha256:{'a' * 64}\n")
    done = run(*arguments)
    assert done.returncode == 1
    assert done.stdout == ""
    [line] = done.stderr.splitlines()
    assert line.startswith("error: ") and message in line
    assert file.read_text() == f"laptop sha256:{'a' * 64}\n"


def test_a_broken_file_is_one_line(file: Path) -> None:
    file.parent.mkdir()
    file.write_text("laptop sk-secret\n")
    for arguments in (["list"], ["make", "a"], ["revoke", "a"], ["list", "--help"]):
        done = run(*arguments)
        if "--help" not in arguments:
            assert (done.returncode, done.stderr) == (
                1,
                f"error: {file}, line 1: expected NAME sha256:HASH, and optionally admin\n",
            )
        assert "sk-secret" not in done.stdout + done.stderr


def test_arguments_that_do_not_go_together_are_refused(file: Path) -> None:
    for arguments in (["make"], ["revoke"], ["list", "a"], ["revoke", "a", "--admin"], ["list", "--admin"], ["other"]):
        assert run(*arguments).returncode == 2, arguments
    assert not file.exists()
