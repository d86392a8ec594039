"""Connections to a server that falls silent."""

import os
import time
from collections.abc import Iterator
from contextlib import contextmanager

import pytest
from sqlalchemy import Engine, text
from sqlalchemy.exc import OperationalError

from my_project.db import engine as module
from my_project.db.engine import connect
from my_project.settings import Settings

ADDRESS = os.environ.get("TEST_DATABASE", "")

pytestmark = pytest.mark.skipif(not ADDRESS.startswith("postgresql"), reason="needs PostgreSQL in TEST_DATABASE")


@contextmanager
def pool(is_patient: bool = False) -> Iterator[Engine]:
    """Yield a pool of one connection."""
    engine = connect(Settings(database=ADDRESS, database_pool_size=1), is_patient)
    try:
        yield engine
    finally:
        engine.dispose()


def test_a_silent_server_costs_one_statement(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "MAX_SILENCE_SECONDS", 1)
    with pool() as database:
        started = time.monotonic()
        with pytest.raises(OperationalError, match="has not answered for 1 s"), database.begin() as connection:
            pid = connection.scalar(text("SELECT pg_backend_pid()"))
            connection.execute(text("SELECT pg_sleep(60)"))
        assert time.monotonic() - started < 5
        with database.connect() as connection:
            assert connection.scalar(text("SELECT pg_backend_pid()")) != pid


def test_a_command_waits_for_a_statement_as_long_as_it_takes(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "MAX_SILENCE_SECONDS", 0.2)
    with pool(is_patient=True) as database, database.connect() as connection:
        assert connection.scalar(text("SELECT 7 FROM pg_sleep(1)")) == 7
