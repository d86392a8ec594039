"""Migrations, Slipway's and the owner's."""

import os
import shutil
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import pytest
from alembic.autogenerate import compare_metadata
from alembic.runtime.migration import MigrationContext
from databases import empty_database
from sqlalchemy import Column, Engine, Integer, MetaData, inspect, make_url, select, text
from sqlalchemy import Table as Reflected
from sqlalchemy.exc import IntegrityError, OperationalError

from my_project.db import migrate
from my_project.db.engine import DatabaseUnavailableError, connect
from my_project.db.migrate import History
from my_project.db.models import Base, JobState, UtcDateTime
from my_project.jobs.store import JobStore
from my_project.settings import Settings

MIGRATION = """import sqlalchemy as sa
from alembic import op

revision = {revision!r}
down_revision = {after!r}


def upgrade() -> None:
    op.create_table({table!r}, sa.Column("id", sa.Integer, primary_key=True))


def downgrade() -> None:
    op.drop_table({table!r})
"""


@pytest.fixture
def database(tmp_path: Path) -> Iterator[Engine]:
    """Return a database without tables."""
    with empty_database(tmp_path) as address:
        engine = connect(Settings(database=address))
        yield engine
        with engine.begin() as connection:
            for name in ("ours", "mine", "more"):
                connection.execute(text(f"DROP TABLE IF EXISTS {name}"))
        engine.dispose()


@pytest.fixture
def histories(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> tuple[Path, Path]:
    """Return copies of the folders of Slipway's and of the owner's migrations, which the test may change."""
    own = tmp_path / "package of mine: 100 %"
    folders = own / "db/migrations/versions", own / "migrations"
    shutil.copytree(migrate.SLIPWAY.folder, folders[0], ignore=shutil.ignore_patterns("__pycache__"))
    found: list[History] = []
    for name, history, folder in zip(("SLIPWAY", "OWN"), migrate.HISTORIES, folders, strict=True):
        found.append(replace(history, folder=folder))
        monkeypatch.setattr(migrate, name, found[-1])
    monkeypatch.setattr(migrate, "HISTORIES", tuple(found))
    return folders


def write(folder: Path, name: str, revision: str, after: str | None, table: str) -> None:
    """Write a migration that creates a table."""
    folder.mkdir(exist_ok=True)
    (folder / name).write_text(MIGRATION.format(revision=revision, after=after, table=table))


def tables(database: Engine) -> set[str]:
    """Return the names of the tables, without those of the revisions."""
    return set(inspect(database).get_table_names()) - migrate.VERSION_TABLES


OURS = {"jobs", "predictions", "stored_files"}


def test_an_update_and_the_owner_add_migrations_and_both_are_applied(
    database: Engine, histories: tuple[Path, Path]
) -> None:
    slipway, own = histories
    write(own, "0001_mine.py", "0001", None, "mine")  # the same revision as one of Slipway's
    assert migrate.migrate(database) == "0003, own:0001"
    assert migrate.problem(database) is None
    write(slipway, "0004_ours.py", "0004", "0003", "ours")
    assert "run the command migrate" in (migrate.problem(database) or "")
    assert migrate.migrate(database) == "0004, own:0001"
    assert tables(database) == OURS | {"mine", "ours"}
    write(own, "0002_more.py", "0002", "0001", "more")
    assert migrate.migrate(database) == "0004, own:0002"
    assert migrate.problem(database) is None
    assert migrate.migrate(database, "0003") == "0003, own:0002"
    assert migrate.migrate(database, "own:0001") == "0003, own:0001"
    assert tables(database) == OURS | {"mine"}
    assert migrate.migrate(database, "base") == "base"
    assert tables(database) == set()


@pytest.mark.parametrize("revision", ["0004", "mine"])
def test_a_migration_of_the_owner_in_our_folder_is_refused_in_one_line_once_it_conflicts(
    database: Engine, histories: tuple[Path, Path], revision: str
) -> None:
    slipway, own = histories
    write(slipway, "0004_mine.py", revision, "0003", "mine")
    migrate.migrate(database)
    write(slipway, "0004_ours.py", "0004", "0003", "ours")
    for reason in (migrate.problem(database) or "", refusal(database)):
        assert f"{slipway} has 2 latest migrations, 0004_mine.py and 0004_ours.py" in reason
        assert f"move your own to {own}" in reason and "\n" not in reason
    assert tables(database) == OURS | {"mine"}
    (slipway / "0004_mine.py").unlink()
    write(own, "0004_mine.py", "mine", None, "mine")
    assert migrate.stamp(database, "0003") == "0003"
    assert migrate.stamp(database, "own:mine") == "0003, own:mine"
    assert migrate.migrate(database) == "0004, own:mine"
    assert tables(database) == OURS | {"mine", "ours"}


def refusal(database: Engine) -> str:
    """Return why the database cannot be migrated."""
    with pytest.raises(DatabaseUnavailableError) as refused:
        migrate.migrate(database)
    return str(refused.value)


def test_two_latest_migrations_of_the_owner_are_refused_in_one_line(
    database: Engine, histories: tuple[Path, Path]
) -> None:
    _, own = histories
    write(own, "a.py", "a", None, "mine")
    write(own, "b.py", "b", None, "more")
    assert refusal(database).endswith(
        "has 2 latest migrations, a.py and b.py: set down_revision of one to the revision of the other"
    )
    write(own, "b.py", "b", "c", "more")
    assert refusal(database).endswith("no migration has the revision 'c', which another names as down_revision")
    assert tables(database) == set()


def test_an_owner_is_given_a_migration_for_a_new_table(database: Engine, histories: tuple[Path, Path]) -> None:
    with pytest.raises(DatabaseUnavailableError, match="run the command migrate"):
        migrate.create(database, "add mine")
    migrate.migrate(database)
    table = Reflected("mine", Base.metadata, Column("id", Integer, primary_key=True), Column("at", UtcDateTime))
    try:
        path = migrate.create(database, "add mine")
        assert path.parent == histories[1] and path.name.endswith("_add_mine.py")
        assert "DateTime(timezone=True)" in path.read_text()
        assert "run the command migrate" in (migrate.problem(database) or "")
        migrate.migrate(database)
        assert tables(database) == OURS | {"mine"}
        assert differences(database) == []
    finally:
        Base.metadata.remove(table)


def test_an_owners_migration_that_is_gone_is_named(database: Engine, histories: tuple[Path, Path]) -> None:
    _, own = histories
    write(own, "a.py", "a", None, "mine")
    migrate.migrate(database)
    (own / "a.py").unlink()
    assert f"revision a, which {own} does not contain" in (migrate.problem(database) or "")
    assert "does not contain" in refusal(database)


@pytest.mark.parametrize("revision", ["0009", "own:0001", "x"])
def test_an_unknown_revision_is_refused(database: Engine, revision: str) -> None:
    with pytest.raises(DatabaseUnavailableError, match=f"there is no revision {revision}; known are 0001, 0002"):
        migrate.migrate(database, revision)


def differences(database: Engine) -> list[object]:
    """Return where the tables of the database differ from the classes."""
    options = {"include_name": lambda name, kind, _: kind != "table" or name not in migrate.VERSION_TABLES}
    with database.connect() as connection:
        return list(compare_metadata(MigrationContext.configure(connection, opts=options), Base.metadata))


def test_migrations_create_the_tables_and_drop_them_again(database: Engine) -> None:
    for _ in range(2):
        assert "run the command migrate" in (migrate.problem(database) or "")
        migrate.migrate(database)
        assert migrate.problem(database) is None
        assert differences(database) == []
        migrate.migrate(database, "base")
        assert tables(database) == set()


def test_jobs_in_every_state_survive_a_migration_up_and_down(database: Engine) -> None:
    migrate.migrate(database, "0001")
    with database.begin() as connection:
        jobs = Reflected("jobs", MetaData(), autoload_with=connection)
        moment = datetime(2026, 1, 2, 3, 4, 5, 678901, UTC)
        full = {
            **{column.name: moment for column in jobs.columns if column.name.endswith(("_at", "_until"))},
            **{"kind": "predict", "arguments": {"source": "a"}, "attempt": 2, "failures": 1, "done": 3, "total": 4},
            **{"worker": "one", "result": {"text": "ä"}, "error": "no luck"},
        }
        bare = {column.name: None if column.nullable else full.get(column.name) for column in jobs.columns}
        for state in JobState:
            connection.execute(jobs.insert(), full | {"id": f"{state}-full", "key": state, "state": state})
            connection.execute(jobs.insert(), bare | {"id": f"{state}-bare", "state": state})

    def rows() -> list[dict[str, object]]:
        with database.connect() as connection:
            return [dict(row) for row in connection.execute(select(jobs).order_by(jobs.c.id)).mappings()]

    before = rows()
    assert len(before) == 2 * len(JobState)
    for revision in ("head", "0001"):
        migrate.migrate(database, revision)
        assert rows() == before
    migrate.migrate(database)
    known = JobStore(database).get("succeeded-full", "default")
    assert known and (known.key, known.result, known.finished_at) == ("succeeded", {"text": "ä"}, moment)


ORDERS = """import sqlalchemy as sa
from alembic import op

revision = "orders"
down_revision = None


def upgrade() -> None:
    op.add_column("jobs", sa.Column("note", sa.Text))
    op.create_index("ix_jobs_note", "jobs", ["note"])
    job = sa.Column("job", sa.String(36), sa.ForeignKey("jobs.id"), nullable=False)
    op.create_table("mine", sa.Column("id", sa.Integer, primary_key=True), job)


def downgrade() -> None:
    op.drop_table("mine")
    with op.batch_alter_table("jobs") as jobs:
        jobs.drop_index("ix_jobs_note")
        jobs.drop_column("note")
"""


def test_jobs_of_the_last_release_belong_to_default_and_what_the_owner_added_is_kept(
    database: Engine, histories: tuple[Path, Path]
) -> None:
    _, own = histories
    own.mkdir()
    (own / "orders.py").write_text(ORDERS)
    migrate.migrate(database, "0002")
    migrate.migrate(database, "own:orders")
    new = {"kind": "predict", "arguments": {}, "state": "queued", "attempt": 0, "failures": 0, "done": 0}
    moments = dict.fromkeys(("created_at", "due_at"), datetime(2026, 1, 2, 3, 4, 5, 678901, UTC))

    def insert(**values: object) -> None:
        with database.begin() as connection:
            connection.execute(Reflected("jobs", MetaData(), autoload_with=connection).insert(), new | moments | values)

    def found(columns: str, table: str = "jobs") -> list[tuple[object, ...]]:
        with database.connect() as connection:
            return [tuple(row) for row in connection.execute(text(f"SELECT {columns} FROM {table} ORDER BY id"))]

    insert(id="a", key="one", note="mine")
    insert(id="b")
    with database.begin() as connection:
        connection.execute(text("INSERT INTO mine VALUES (7, 'a')"))
    assert migrate.migrate(database) == "0003, own:orders"
    assert found("id, key, note") == [("a", "one", "mine"), ("b", None, None)]
    assert set(found("owner, is_admin")) == {("default", False)}
    assert found("*", "mine") == [(7, "a")]
    assert "ix_jobs_note" in {each["name"] for each in inspect(database).get_indexes("jobs")}
    [foreign] = inspect(database).get_foreign_keys("mine")
    assert (foreign["referred_table"], foreign["referred_columns"]) == ("jobs", ["id"])
    for id, owner in (("c", "0"), ("d", "zoe"), ("e", "zoe")):
        insert(id=id, owner=owner, key="one" if id != "e" else "two")
    for owner in ("default", "zoe"):
        with pytest.raises(IntegrityError):
            insert(id="f", owner=owner, key="one")
    migrate.migrate(database, "0002")
    assert found("id, key, note") == [("a", "one", "mine"), *((id, None, None) for id in "bcd"), ("e", "two", None)]
    assert found("*", "mine") == [(7, "a")]
    with pytest.raises(IntegrityError):
        insert(id="f", key="one")
    assert tables(database) == {"jobs", "predictions", "mine"}
    migrate.migrate(database)
    assert {owner for [owner] in found("owner")} == {"default"}
    assert [each for each in differences(database) if "stored_files" in str(each) or "owner" in str(each)] == []


def test_a_database_from_a_newer_release_is_not_changed(database: Engine) -> None:
    migrate.migrate(database)
    with database.begin() as connection:
        connection.execute(text("UPDATE alembic_version SET version_num = 'newer'"))
    assert "newer release" in (migrate.problem(database) or "")
    assert migrate.problem(database, allow_newer=True) is None, "it may run beside the newer one"
    with pytest.raises(DatabaseUnavailableError, match="newer release"):
        migrate.migrate(database)


@pytest.mark.skipif("TEST_DATABASE" not in os.environ, reason="needs PostgreSQL in TEST_DATABASE")
@pytest.mark.parametrize("encoding", ["SQL_ASCII", "LATIN1"])
def test_a_database_that_cannot_hold_every_text_is_refused_in_one_line(encoding: str) -> None:
    address = make_url(os.environ["TEST_DATABASE"])
    server = connect(Settings(database=address.render_as_string(hide_password=False)))
    with server.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
        connection.execute(text("DROP DATABASE IF EXISTS narrow"))
        options = f"ENCODING '{encoding}' TEMPLATE template0 LC_COLLATE 'C' LC_CTYPE 'C'"
        connection.execute(text(f"CREATE DATABASE narrow {options}"))
        narrow = connect(Settings(database=address.set(database="narrow").render_as_string(hide_password=False)))
        reason = f"its encoding is {encoding}, not UTF8: create a database with ENCODING 'UTF8' TEMPLATE template0"
        assert migrate.problem(narrow) == f"the database cannot be reached: {reason}"
        assert refusal(narrow) == f"the database cannot be migrated: {reason}"
        with pytest.raises(OperationalError):
            JobStore(narrow).get("a", None)
        narrow.dispose()
        connection.execute(text("DROP DATABASE narrow"))
    server.dispose()


@pytest.mark.parametrize("folder", ["/proc/none", "{file}/below"])
def test_a_folder_that_cannot_be_made_is_reported_when_it_is_used(folder: str, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("no folder")
    address = f"sqlite:///{folder.format(file=tmp_path / 'file')}/jobs.sqlite"
    database = connect(Settings(database=address))
    assert migrate.problem(database) == "the database cannot be reached: unable to open database file"


def test_an_unusable_database_is_reported_in_one_line(tmp_path: Path) -> None:
    with pytest.raises(DatabaseUnavailableError, match="not an address"):
        connect(Settings().model_copy(update={"database": "nonsense"}))
    broken = tmp_path / "broken.sqlite"
    broken.write_bytes(b"no database" * 1000)
    database = connect(Settings(database=f"sqlite:///{broken}"))
    assert "cannot be reached" in (migrate.problem(database) or "")
    with pytest.raises(DatabaseUnavailableError, match="cannot be migrated"):
        migrate.migrate(database)
