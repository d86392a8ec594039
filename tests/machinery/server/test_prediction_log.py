"""The log of predictions: a database that is unavailable, limits of memory, age and number."""

import base64
import hashlib
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from databases import empty_database
from example import INPUTS
from fastapi.testclient import TestClient
from pydantic import BaseModel
from sqlalchemy import Engine, select

from my_project import components
from my_project.db import engine as engines
from my_project.db import migrate
from my_project.db.engine import connect
from my_project.db.models import PredictionRow
from my_project.inference.engine import AnsweredRequest
from my_project.server import prediction_log
from my_project.server.app import create_app
from my_project.server.prediction_log import PredictionEntry, PredictionLog
from my_project.settings import Settings


class NoParameters(BaseModel):
    """No parameters."""


@pytest.fixture(autouse=True)
def recording(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Settings]:
    """Return settings that record predictions in a database with tables."""
    monkeypatch.setattr(prediction_log, "WRITE_SECONDS", 0.01)
    with empty_database(tmp_path) as address:
        monkeypatch.setenv("MY_PROJECT_DATABASE", address)
        monkeypatch.setenv("MY_PROJECT_STORAGE", f"{tmp_path}/files")
        monkeypatch.setenv("MY_PROJECT_RECORD_PREDICTIONS", "true")
        components.get_settings.cache_clear()
        with opened(components.get_settings()) as database:
            migrate.migrate(database)
        yield components.get_settings()


@contextmanager
def opened(settings: Settings) -> Iterator[Engine]:
    """Yield the database of the settings; close its connections afterwards."""
    database = connect(settings)
    try:
        yield database
    finally:
        database.dispose()


def recorded() -> list[str]:
    """Return the ids of the recorded requests, in order."""
    with opened(components.get_settings()) as database, database.connect() as connection:
        return list(connection.scalars(select(PredictionRow.request).order_by(PredictionRow.id)))


def entry(number: int = 0, age: timedelta = timedelta(0), inputs: list[Any] | None = None) -> PredictionEntry:
    """Return an answered request."""
    at = datetime.now(UTC) - age
    return PredictionEntry(str(number), at, AnsweredRequest("model", None, inputs or ["text"], NoParameters(), [], 0.1))


def counted(result: str) -> float:
    """Return how many requests were written, or dropped, since the tests began."""
    value: float = prediction_log.RECORDED.labels(result)._value.get()
    return value


def test_a_blocked_database_delays_no_request_and_receives_the_rows_later(
    recording: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(engines, "CONNECT_TIMEOUT_SECONDS", 0.05)
    body = {"inputs": base64.b64encode(INPUTS[0]).decode() if isinstance(INPUTS[0], bytes) else INPUTS[0]}
    app = create_app(recording, components.server_components(recording))
    with opened(recording) as database, TestClient(app) as client:
        lock = "BEGIN EXCLUSIVE" if database.dialect.name == "sqlite" else "LOCK TABLE predictions IN EXCLUSIVE MODE"
        app.state.engine.loading.result(timeout=60)
        with database.connect() as connection:
            connection.exec_driver_sql(lock)
            assert client.post("/predict", json=body).status_code == 200
            assert recorded() == []
            connection.rollback()
        assert client.post("/predict", json=body).status_code == 200
    assert len(recorded()) == 2


def test_entries_that_cannot_be_written_are_dropped_at_the_end_and_counted(recording: Settings, tmp_path: Path) -> None:
    broken = tmp_path / "broken.sqlite"
    broken.write_bytes(b"no database" * 1000)
    before = counted("dropped")
    log = PredictionLog(recording.model_copy(update={"database": f"sqlite:///{broken}"}))
    log.start()
    for number in range(5):
        log.add(entry(number))
    log.stop()
    assert counted("dropped") == before + 5


def test_entries_beyond_the_memory_limit_are_dropped_and_counted(
    recording: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(prediction_log, "MAX_PENDING_BYTES", 3.5 * entry().estimated_bytes)
    before = counted("dropped"), counted("written")
    log = PredictionLog(recording)
    for number in range(5):
        log.add(entry(number))
    log.start()
    log.stop()
    assert recorded() == ["0", "1", "2"]
    assert (counted("dropped"), counted("written")) == (before[0] + 2, before[1] + 3)


@pytest.mark.parametrize(("limits", "left"), [({"record_days": 1}, ["3", "4"]), ({"record_rows": 1}, ["4"])])
def test_rows_that_are_too_old_or_too_many_are_deleted(
    recording: Settings, limits: dict[str, int], left: list[str]
) -> None:
    first = PredictionLog(recording)
    for number in range(5):
        first.add(entry(number, timedelta(days=2) if number < 3 else timedelta(0)))
    first.start()
    first.stop()
    assert len(recorded()) == 5
    second = PredictionLog(recording.model_copy(update=limits))
    second.start()
    second.stop()
    assert recorded() == left


@pytest.mark.parametrize("text", ["a\x00b", "\\u0000", "\x00" * 100])
def test_a_text_with_nul_is_recorded_beside_others(recording: Settings, text: str) -> None:
    log = PredictionLog(recording)
    log.add(entry(0))
    log.add(entry(1, inputs=[text]))
    log.start()
    log.stop()
    with opened(recording) as database, database.connect() as connection:
        rows = connection.execute(select(PredictionRow.inputs).order_by(PredictionRow.id)).scalars().all()
    assert rows == [["text"], [text.replace("\x00", "\ufffd")]]


def test_an_entry_that_cannot_be_written_takes_no_other_with_it(recording: Settings) -> None:
    before = counted("dropped"), counted("written")
    log = PredictionLog(recording)
    for number in range(4):
        log.add(entry(number, inputs=[object()] if number == 1 else None))
    log.start()
    log.stop()
    assert recorded() == ["0", "2", "3"]
    assert (counted("dropped"), counted("written")) == (before[0] + 1, before[1] + 3)


def test_a_long_text_is_recorded_as_its_size_and_hash() -> None:
    long = "ä" * (prediction_log.MAX_TEXT_CHARACTERS + 1)
    expected = {"bytes": len(long.encode()), "sha256": hashlib.sha256(long.encode()).hexdigest()}
    assert entry(inputs=[long]).row()["inputs"] == [expected]
