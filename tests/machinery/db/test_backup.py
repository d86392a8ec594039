"""Backups of SQLite, restored to SQLite or to the database of TEST_DATABASE, whose tables are dropped."""

import gzip
import io
import json
import os
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Engine, select
from sqlalchemy.orm import Session
from typer.testing import CliRunner

from my_project.cli.program import app
from my_project.components import get_settings
from my_project.db import migrate
from my_project.db.backup import dump, load
from my_project.db.engine import connect
from my_project.db.models import Base, StoredFile
from my_project.errors import InvalidInputError
from my_project.jobs.owner import Owner
from my_project.jobs.store import JobStore
from my_project.settings import Settings


@pytest.fixture
def database(tmp_path: Path) -> Engine:
    """Return a database with jobs in several states, and values that are hard to serialize."""
    engine = connect(Settings(database=f"sqlite:///{tmp_path}/jobs.sqlite"))
    migrate.migrate(engine)
    store = JobStore(engine, max_failures=2)
    texts = {"text": "\u00e4\n\"'\\ \N{SNOWMAN}", "none": None, "number": 0.1, "deep": [{}, [1]]}
    for number in range(5):
        store.submit("predict", texts, f"key {number}")
    done, failed, tried = (store.claim() for _ in range(3))
    assert done and failed and tried
    store.succeed(done, {"records": 2**40, "share": 1 / 3})
    store.fail(failed, "no luck")
    store.retry(tried, "not yet")
    store.submit("predict", texts, "key 0", Owner("me"))
    with Session(engine) as session, session.begin():
        session.add(StoredFile(path="\u00e4.txt", owner="me", size=2**40, created_at=datetime.now(UTC)))
    return engine


@pytest.fixture
def other(tmp_path: Path) -> Iterator[Engine]:
    """Return a database without tables."""
    engine = connect(Settings(database=os.environ.get("TEST_DATABASE") or f"sqlite:///{tmp_path}/other.sqlite"))
    migrate.migrate(engine, "base")
    yield engine
    migrate.migrate(engine, "base")
    engine.dispose()


def dumped(engine: Engine) -> bytes:
    """Return the backup of a database."""
    stream = io.BytesIO()
    dump(engine, stream)
    return stream.getvalue()


def rows(engine: Engine) -> dict[str, list[Any]]:
    """Return all rows of a database."""
    with engine.connect() as connection:
        tables = Base.metadata.sorted_tables
        return {each.name: sorted(map(repr, connection.execute(select(each)))) for each in tables}


def test_a_backup_survives_two_kinds_of_database_unchanged(database: Engine, other: Engine, tmp_path: Path) -> None:
    backup = dumped(database)
    assert load(other, io.BytesIO(backup)) == {"jobs": 6, "predictions": 0, "stored_files": 1}
    assert rows(other) == rows(database)
    again = connect(Settings(database=f"sqlite:///{tmp_path}/again.sqlite"))
    load(again, io.BytesIO(dumped(other)))
    assert rows(again) == rows(database)
    assert gzip.decompress(dumped(again)) == gzip.decompress(backup)
    assert migrate.problem(other) is None
    assert JobStore(other).submit("predict", {})[1]


def test_a_backup_of_the_release_before_owners_belongs_to_default(database: Engine, other: Engine) -> None:
    migrate.migrate(database, "0002")
    backup = dumped(database)
    migrate.migrate(other)
    assert load(other, io.BytesIO(backup)) == {"jobs": 6, "predictions": 0}
    assert migrate.problem(other) is None
    assert {each.owner for each in JobStore(other).find(None)} == {"default"}
    assert rows(other)["stored_files"] == []


def test_existing_rows_are_deleted_only_with_force(database: Engine, other: Engine) -> None:
    migrate.migrate(other)
    JobStore(other).submit("predict", {}, "mine")
    before = rows(other)
    backup = dumped(database)
    with pytest.raises(InvalidInputError, match="not empty: --force"):
        load(other, io.BytesIO(backup))
    assert rows(other) == before
    load(other, io.BytesIO(backup), force=True)
    assert rows(other) == rows(database)


def changed(backup: bytes, number: int, line: dict[str, Any] | list[Any] | None) -> bytes:
    """Return a backup in which one line is replaced, or removed."""
    lines = gzip.decompress(backup).splitlines()
    lines[number : number + 1] = [] if line is None else [json.dumps(line).encode()]
    return gzip.compress(b"\n".join(lines))


@pytest.mark.parametrize("part", [0.0, 0.1, 0.5, 0.9, 0.99])
def test_a_truncated_backup_changes_nothing(database: Engine, other: Engine, part: float) -> None:
    backup = dumped(database)
    lines = gzip.decompress(backup)
    for cut in (backup[: int(len(backup) * part)], gzip.compress(lines[: int(len(lines) * part)])):
        with pytest.raises(InvalidInputError, match="not a valid backup"):
            load(other, io.BytesIO(cut))
    assert migrate.problem(other) is not None
    migrate.migrate(other)
    assert rows(other)["jobs"] == []


def test_an_invalid_backup_changes_nothing(database: Engine, other: Engine) -> None:
    backup = dumped(database)
    head = json.loads(gzip.decompress(backup).splitlines()[0])
    with pytest.raises(InvalidInputError, match="from a newer release: it is at revision 9999"):
        load(other, io.BytesIO(changed(backup, 0, head | {"revision": "9999"})))
    for broken in (
        b"not packed",
        changed(backup, 0, head | {"format": 2}),
        changed(backup, 0, head | {"tables": [{"name": "others", "columns": [], "rows": 5}]}),
        changed(backup, 3, ["too", "short"]),
        changed(backup, 3, None),
        changed(backup, 3, head),
    ):
        with pytest.raises(InvalidInputError, match="not a valid backup"):
            load(other, io.BytesIO(broken))
        assert migrate.problem(other) is not None


def test_the_commands_write_and_restore_complete_files(
    database: Engine, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def run(name: str, *arguments: str) -> str:
        monkeypatch.setenv("MY_PROJECT_DATABASE", f"sqlite:///{tmp_path}/{name}.sqlite")
        get_settings.cache_clear()
        done = CliRunner().invoke(app, arguments)
        return str(done.exception) if done.exception else done.output

    file = tmp_path / "deep/backup.jsonl.gz"
    assert "jobs: 6 rows" in run("jobs", "backup", str(file))
    assert "jobs: 6 rows" in run("new", "restore", str(file))
    assert "not empty" in run("new", "restore", str(file))
    assert "no tables yet" in run("empty", "backup", str(tmp_path / "none.jsonl.gz"))
    assert [path.name for path in (tmp_path / "deep").iterdir()] == [file.name]
    assert not (tmp_path / "none.jsonl.gz").exists()
    assert "cannot be used" in run("new", "restore", "nowhere://backup")
