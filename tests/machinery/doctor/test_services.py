"""The checks of database, broker and storage."""

from importlib.util import find_spec
from pathlib import Path

import pytest

from my_project.components import get_settings
from my_project.doctor import Context
from my_project.doctor.services import broker, database, storage

PREFIX = "MY_PROJECT_"


@pytest.mark.parametrize(
    ("address", "state"),
    [
        ("sqlite:///{folder}/new.sqlite", "ok"),
        ("sqlite:///{folder}", "fail"),
        pytest.param(
            "postgresql+psycopg://somebody@127.0.0.1:1/name",
            "fail",
            marks=pytest.mark.skipif(not find_spec("psycopg"), reason="needs the PostgreSQL driver"),
        ),
    ],
)
def test_the_database(address: str, state: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(f"{PREFIX}DATABASE", address.format(folder=tmp_path))
    monkeypatch.setenv(f"{PREFIX}DATABASE_PASSWORD", "hush")
    get_settings.cache_clear()
    found = database(Context(load_settings=get_settings))
    assert found.state == state, found
    assert "hush" not in str(found) and "\n" not in found.found
    assert bool(found.fix) == (state == "fail")


def test_the_broker(monkeypatch: pytest.MonkeyPatch) -> None:
    assert broker(Context(load_settings=get_settings)).state == "ok"
    monkeypatch.setenv(f"{PREFIX}BROKER", "redis://127.0.0.1:1")
    monkeypatch.setenv(f"{PREFIX}BROKER_PASSWORD", "hush")
    get_settings.cache_clear()
    found = broker(Context(load_settings=get_settings))
    assert found.state == "fail" and found.fix
    assert "hush" not in str(found)


@pytest.mark.parametrize(("address", "state"), [("{folder}/new", "ok"), ("nowhere://files", "fail")])
def test_the_storage(address: str, state: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(f"{PREFIX}STORAGE", address.format(folder=tmp_path))
    get_settings.cache_clear()
    found = storage(Context(load_settings=get_settings))
    assert found and found.state == state, found
    assert bool(found.fix) == (state == "fail")
