"""API keys: their format, and their file, which is read again when it changes."""

import hashlib
import os
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest
from pydantic import SecretStr

from my_project.base_settings import ServiceSettings
from my_project.server import api_keys
from my_project.server.api_keys import ApiKey, ApiKeys, ApiKeysError, add, make_key, parse, parse_setting, remove
from my_project.server.client import DEFAULT, Client


def line(name: str, key: str, rest: str = "") -> str:
    """Return the line of a key, computed without the code under test."""
    return f"{name} sha256:{hashlib.sha256(key.encode()).hexdigest()}{rest}"


class Clock:
    """A clock that is set."""

    now = 0.0

    def __call__(self) -> float:
        """Return the time."""
        return self.now


@pytest.fixture
def clock() -> Clock:
    """Return a clock at 0."""
    return Clock()


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """Return the path of a file of keys that does not exist."""
    return tmp_path / "api_keys"


def keys_of(path: Path, clock: Clock, **settings: Any) -> ApiKeys:
    """Return the keys of a file."""
    return ApiKeys(ServiceSettings(api_keys_file=path, **settings), clock)


def replace(path: Path, text: str) -> None:
    """Replace a file in one step."""
    path.with_suffix(".new").write_text(text, "utf-8")
    path.with_suffix(".new").replace(path)


def test_a_file_may_have_comments_blank_lines_and_any_line_breaks() -> None:
    text = f"\ufeff# the team\r\n\r\n  {line('a', 'one')}\t\r\n{line('b.c_d-9', 'two', ' admin')}\n\n#end"
    assert [(key.name, key.is_admin) for key in parse(text, "file")] == [("a", False), ("b.c_d-9", True)]


@pytest.mark.parametrize(
    "wrong",
    [
        "laptop",
        "laptop sk-secret",
        "laptop sha256:abcd",
        f"laptop sha256:{'g' * 64}",
        f"laptop sha256:{'A' * 64}",
        f"laptop sha256:{'a' * 65}",
        f"laptop sha512:{'a' * 64}",
        f"laptop sha256:{'a' * 64} root",
        f"laptop sha256:{'a' * 64} admin admin",
        f"Laptop sha256:{'a' * 64}",
        f".laptop sha256:{'a' * 64}",
        f"{'x' * 65} sha256:{'a' * 64}",
        f"läptop sha256:{'a' * 64}",
        f"lap top sha256:{'a' * 64}",
        f"sha256:{'a' * 64}",
        f"laptop sha256:{'a' * 64}\x0cother sha256:{'b' * 64}",
        f"laptop sha256:{chr(0x660) * 64}",
    ],
)
def test_an_error_names_the_line_and_never_its_content(wrong: str) -> None:
    with pytest.raises(ApiKeysError) as refused:
        parse(f"# first\n{wrong}\n", "api_keys")
    assert str(refused.value) == "api_keys, line 2: expected NAME sha256:HASH, and optionally admin"


@pytest.mark.parametrize(
    ("first", "second", "kind"),
    [(line("a", "one"), line("a", "two"), "name"), (line("a", "one"), line("b", "one", " admin"), "key")],
)
def test_a_name_and_a_key_may_occur_once(first: str, second: str, kind: str) -> None:
    with pytest.raises(ApiKeysError) as refused:
        parse(f"{first}\n{second}\n", "file")
    assert str(refused.value) == f"file, line 2: the same {kind} as on line 1"


def test_too_many_keys_are_refused(path: Path, clock: Clock) -> None:
    path.write_text("\n".join(line(f"k{number}", str(number)) for number in range(api_keys.MAX_KEYS + 1)))
    with pytest.raises(ApiKeysError, match="more than 5,000 keys"):
        keys_of(path, clock)
    path.write_bytes(b"#" * (api_keys.MAX_FILE_BYTES + 1))
    with pytest.raises(ApiKeysError, match="larger than 1,000,000 bytes"):
        keys_of(path, clock)
    with pytest.raises(ApiKeysError, match="larger than 1,000,000 bytes"):
        parse_setting("#" * (api_keys.MAX_FILE_BYTES + 1))


def test_what_is_no_file_is_refused_at_once(tmp_path: Path, path: Path, clock: Clock) -> None:
    with pytest.raises(ApiKeysError, match="not a file"):
        keys_of(tmp_path, clock)
    os.mkfifo(path)
    with pytest.raises(ApiKeysError, match="not a file"):
        keys_of(path, clock)
    path.unlink()
    path.write_bytes(b"\xff\xfe")
    with pytest.raises(ApiKeysError, match="not UTF-8"):
        keys_of(path, clock)


def test_a_key_is_256_random_bits_and_looks_like_a_token() -> None:
    made = {make_key() for _ in range(100)}
    assert len(made) == 100
    assert all(len(key) >= 43 and key.isascii() and " " not in key for key in made)


def test_without_keys_every_request_is_the_default_clients(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    keys = ApiKeys(ServiceSettings())
    assert not keys.are_set
    assert keys.identify(None) == keys.identify(b"anything") == DEFAULT


def test_keys_of_the_setting_and_of_the_file_open_the_api(path: Path, clock: Clock) -> None:
    path.write_text(line("laptop", "one"))
    setting = SecretStr(f"{line('ci', 'two')};{line('root', 'three', ' admin')}")
    keys = keys_of(path, clock, api_keys=setting)
    assert keys.identify(b"one") == Client("laptop", is_admin=False)
    assert keys.identify(b"two") == Client("ci", is_admin=False)
    assert keys.identify(b"three") == Client("root", is_admin=True)
    for wrong in (None, b"", b"four", b"laptop", line("laptop", "one").encode(), hashlib.sha256(b"one").digest()):
        assert keys.identify(wrong) is None


def test_the_file_cannot_give_a_name_of_the_setting_to_another_key(path: Path, clock: Clock) -> None:
    path.write_text(line("laptop", "one", " admin"))
    with pytest.raises(ApiKeysError, match="key laptop of the file is in the setting api_keys, too"):
        keys_of(path, clock, api_keys=SecretStr(line("laptop", "two")))


def test_an_empty_file_lets_nobody_in(path: Path, clock: Clock) -> None:
    path.touch()
    keys = keys_of(path, clock)
    assert keys.are_set
    assert keys.identify(None) is None
    assert keys.identify(b"") is None


def test_a_file_that_is_set_must_exist(path: Path, clock: Clock) -> None:
    with pytest.raises(ApiKeysError, match="no such file: make a key with the command keys, or unset api_keys_file"):
        keys_of(path, clock)


def test_keys_that_are_made_later_count_from_then_on(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, clock: Clock
) -> None:
    monkeypatch.chdir(tmp_path)
    keys = ApiKeys(ServiceSettings(), clock)
    add(Path("keys/api_keys"), ApiKey("laptop", hashlib.sha256(b"one").digest(), False))
    assert keys.identify(None) == DEFAULT, "the file is checked once a second"
    clock.now = 1
    assert keys.identify(None) is None
    assert keys.identify(b"one") == Client("laptop", is_admin=False)
    remove(Path("keys/api_keys"), "laptop")
    clock.now = 2
    assert keys.identify(b"one") is None
    assert keys.are_set, "the last key is gone, and nobody may enter"


def test_a_file_that_vanishes_keeps_the_last_keys(path: Path, clock: Clock, caplog: pytest.LogCaptureFixture) -> None:
    path.write_text(line("laptop", "one"))
    keys = keys_of(path, clock)
    gone = path.rename(path.with_suffix(".gone"))
    for clock.now in (1, 2, 3):
        assert keys.identify(b"one")
        assert keys.identify(None) is None
    gone.rename(path)
    clock.now = 4
    assert keys.identify(b"one")
    said = [record.getMessage() for record in caplog.records]
    assert said == [f"the last API keys stay valid: {path}: no such file", f"the API keys of {path} are valid again"]


def test_a_half_written_file_keeps_the_last_keys_and_logs_one_line(
    path: Path, clock: Clock, caplog: pytest.LogCaptureFixture
) -> None:
    path.write_text(line("laptop", "one"))
    keys = keys_of(path, clock)
    path.write_text(f"{line('laptop', 'one')}\n{line('other', 'two')[:40]}")
    for clock.now in (1, 2, 3):
        assert keys.identify(b"one")
        assert keys.identify(b"two") is None
    [record] = caplog.records
    assert record.getMessage() == (
        f"the last API keys stay valid: {path}, line 2: expected NAME sha256:HASH, and optionally admin"
    )
    path.write_text(line("other", "two"))
    clock.now = 4
    assert keys.identify(b"two")
    assert keys.identify(b"one") is None


def test_a_file_that_becomes_unreadable_keeps_the_last_keys(
    path: Path, clock: Clock, caplog: pytest.LogCaptureFixture
) -> None:
    path.write_text(line("laptop", "one"))
    keys = keys_of(path, clock)
    path.unlink()
    path.symlink_to(path)
    for clock.now in (1, 2):
        assert keys.identify(b"one")
    [record] = caplog.records
    assert record.getMessage() == f"the last API keys stay valid: {path}: Too many levels of symbolic links"


def test_a_broken_file_stays_a_problem_while_it_does_not_change(
    path: Path, clock: Clock, caplog: pytest.LogCaptureFixture
) -> None:
    path.write_text(line("laptop", "one"))
    keys = keys_of(path, clock)
    path.write_text("broken")
    os.utime(path, (1, 1))
    for clock.now in range(1, 10):
        assert keys.identify(b"one")
    assert len(caplog.records) == 1


def test_a_change_of_the_same_size_within_the_resolution_of_the_clock_is_seen(path: Path, clock: Clock) -> None:
    path.write_text(line("laptop", "one"))
    keys = keys_of(path, clock)
    before = path.stat()
    with path.open("r+") as file:
        file.write(line("laptop", "two"))
    os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns))
    clock.now = 1
    assert keys.identify(b"two")
    assert keys.identify(b"one") is None


def test_a_file_that_does_not_change_is_read_once(path: Path, clock: Clock, monkeypatch: pytest.MonkeyPatch) -> None:
    path.write_text(line("laptop", "one"))
    old = time.time() - 60
    os.utime(path, (old, old))
    keys = keys_of(path, clock)
    monkeypatch.setattr(api_keys, "read", lambda _: pytest.fail("it was read again"))
    for clock.now in range(1, 5):
        assert keys.identify(b"one")


def test_a_link_that_leads_to_another_file_is_followed(tmp_path: Path, path: Path, clock: Clock) -> None:
    for name, key in (("old", "one"), ("new", "two")):  # as Kubernetes updates a mounted secret
        (tmp_path / name).mkdir()
        (tmp_path / name / "api_keys").write_text(line("laptop", key))
    current = tmp_path / "current"
    current.symlink_to("old")
    keys = keys_of(current / "api_keys", clock)
    assert keys.identify(b"one")
    (tmp_path / "next").symlink_to("new")
    (tmp_path / "next").replace(current)
    clock.now = 1
    assert keys.identify(b"two")
    assert keys.identify(b"one") is None


def test_a_new_file_is_its_owners_alone_and_an_edit_keeps_comments_and_the_mode(path: Path) -> None:
    add(path, ApiKey("a", hashlib.sha256(b"one").digest(), False))
    assert path.stat().st_mode & 0o777 == 0o600
    path.write_text(f"# the team\n\n{path.read_text()}")
    path.chmod(0o640)
    add(path, ApiKey("a.b", hashlib.sha256(b"two").digest(), True))
    remove(path, "a")
    assert path.read_text() == f"# the team\n\n{line('a.b', 'two', ' admin')}\n"
    assert path.stat().st_mode & 0o777 == 0o640
    assert {each.name for each in path.parent.iterdir()} == {path.name, f".{path.name}.lock"}


def test_an_edit_refuses_a_broken_file_a_known_name_and_an_unknown_one(path: Path) -> None:
    key = ApiKey("a", hashlib.sha256(b"one").digest(), False)
    add(path, key)
    before = path.read_bytes()
    with pytest.raises(ApiKeysError, match="has a key a already"):
        add(path, key)
    with pytest.raises(ApiKeysError, match="has no key b"):
        remove(path, "b")
    assert path.read_bytes() == before
    path.write_text("broken")
    with pytest.raises(ApiKeysError, match="line 1"):
        add(path, key)
    assert path.read_text() == "broken"


def test_several_processes_add_keys_at_once_and_none_is_lost(path: Path) -> None:
    code = """import sys
from pathlib import Path
from my_project.server.api_keys import ApiKey, add
for number in range(20):
    name = f"{sys.argv[2]}-{number}"
    add(Path(sys.argv[1]), ApiKey(name, name.encode().ljust(32), False))"""
    command = [sys.executable, "-c", code, str(path)]
    running = [subprocess.Popen([*command, writer]) for writer in "abc"]
    seen = [0]
    while any(each.poll() is None for each in running):
        if path.exists():
            seen.append(len(api_keys.parse_file(path, path.read_bytes())))
    assert [each.wait() for each in running] == [0, 0, 0]
    assert seen == sorted(seen), "a reader sees whole files only"
    names = {key.name for key in api_keys.parse_file(path, path.read_bytes())}
    assert names == {f"{writer}-{number}" for writer in "abc" for number in range(20)}
