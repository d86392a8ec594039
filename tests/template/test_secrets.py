"""docker/secrets.sh generates passwords that other users of the machine cannot reach, whatever was there before."""

import configparser
import re
import subprocess
from pathlib import Path

import pytest

from tests.conftest import need_program
from tests.template.test_questions import JINJA

NAMES = [
    "database_password",
    "broker_password",
    "bucket_credentials",
    "trainer_credentials",
    "flower_password",
    "grafana_password",
]


@pytest.fixture
def script(tmp_path: Path) -> Path:
    """Return the script of a project with every service."""
    need_program("sh")
    path = tmp_path / "docker/secrets.sh"
    path.parent.mkdir()
    template = JINJA.get_template("template/project/docker/secrets.sh.jinja")
    path.write_text(template.render(passwords=NAMES, services=["bucket"]), "utf-8")
    return path


def generate(script: Path, umask: int = 0o022) -> Path:
    """Run the script, which must succeed, and return the folder of the passwords."""
    done = subprocess.run(["sh", script], capture_output=True, text=True, umask=umask)
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
    return script.parents[1] / "secrets"


def modes(folder: Path) -> dict[str, str]:
    """Return the permissions of the folder and of each file in it."""
    return {path.name: oct(path.stat().st_mode & 0o777) for path in (folder, *sorted(folder.iterdir()))}


WANTED = {"secrets": "0o700"} | dict.fromkeys(sorted(NAMES), "0o644")


@pytest.mark.parametrize("umask", [0o000, 0o022, 0o077, 0o777 & ~0o700])
def test_only_the_owner_enters_the_folder_whatever_the_umask(script: Path, umask: int) -> None:
    assert modes(generate(script, umask)) == WANTED


def test_a_folder_and_files_that_are_there_already_are_closed(script: Path) -> None:
    folder = script.parents[1] / "secrets"
    folder.mkdir()
    (folder / "database_password").write_text("kept")
    (folder / "broker_password").touch()
    (folder / "flower_password").write_text("kept too")
    (folder / "own.pem").write_text("a file of the owner")
    folder.chmod(0o777)
    for name, mode in {"database_password": 0o666, "flower_password": 0o600, "own.pem": 0o600}.items():
        (folder / name).chmod(mode)
    generate(script)
    assert modes(folder) == WANTED | {"own.pem": "0o600"}
    assert (folder / "database_password").read_text() == "kept"
    assert (folder / "flower_password").read_text() == "kept too"
    assert (folder / "broker_password").stat().st_size == 64, "an empty file is no password"


def test_passwords_are_long_random_and_stay(script: Path) -> None:
    folder = generate(script)
    first = {name: (folder / name).read_text() for name in NAMES}
    generate(script)
    assert {name: (folder / name).read_text() for name in NAMES} == first
    found = re.findall(r"[0-9a-f]{64}", "\n".join(first.values()))
    assert len(set(found)) == len(NAMES)
    for name, key in {"bucket_credentials": "app", "trainer_credentials": "trainer"}.items():
        credentials = configparser.ConfigParser()
        credentials.read_string(first[name])
        assert set(credentials["default"]) == {"aws_access_key_id", "aws_secret_access_key"}
        assert credentials["default"]["aws_access_key_id"] == key
