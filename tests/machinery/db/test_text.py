"""Text and JSON that every supported database holds."""

import json
import math
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path
from typing import Any

import pytest
from databases import empty_database
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import Engine

from my_project.db import migrate
from my_project.db.engine import connect
from my_project.db.text import MAX_DEPTH, clean_text, encode_json, find_unstorable
from my_project.jobs.store import MAX_PROGRESS, JobStore
from my_project.settings import Settings

ANY_TEXT = st.text(st.characters(exclude_categories=()) | st.sampled_from('\x00\ud800\udfff\\"u0'))
ANY_JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | ANY_TEXT,
    lambda inner: st.lists(inner) | st.dictionaries(ANY_TEXT, inner),
)


@pytest.fixture
def store(tmp_path: Path) -> Iterator[JobStore]:
    """Return a store without jobs."""
    with empty_database(tmp_path) as address:
        engine: Engine = connect(Settings(database=address))
        migrate.migrate(engine)
        yield JobStore(engine)
        engine.dispose()


def cleaned(value: Any) -> Any:
    """Return a value as it must be stored."""
    if isinstance(value, str):
        return "".join("\ufffd" if each == "\x00" or "\ud800" <= each <= "\udfff" else each for each in value)
    if isinstance(value, dict):
        return {cleaned(key): cleaned(each) for key, each in value.items()}
    if isinstance(value, list):
        return [cleaned(each) for each in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value


@given(ANY_JSON)
def test_any_json_is_encoded_without_what_a_database_refuses(value: Any) -> None:
    encoded = encode_json(value)
    encoded.encode()
    assert json.loads(encoded, parse_constant=pytest.fail) == cleaned(value)
    if find_unstorable("value", value) is None:
        assert json.loads(encoded) == value


@given(ANY_TEXT)
def test_any_text_is_cleaned_or_unchanged(text: str) -> None:
    assert clean_text(text) == cleaned(text)
    assert (find_unstorable("text", text) is None) == (clean_text(text) == text)


@pytest.mark.parametrize(
    ("value", "place"),
    [
        ({"source": "a\x00"}, "arguments.source: contains NUL"),
        ({"a": [1, {"b": "\ud800"}]}, "arguments.a.b: contains NUL or a lone surrogate"),
        ({"a\x00": 1}, "arguments: contains NUL"),
        ({"a": math.nan}, "arguments.a: is not a finite number"),
        ({"a": -math.inf}, "arguments.a: is not a finite number"),
    ],
)
def test_what_cannot_be_stored_is_named(value: Any, place: str) -> None:
    problem = find_unstorable("arguments", value)
    assert problem and problem.startswith(place)
    problem.encode()


def test_the_depth_of_json_is_limited() -> None:
    value: Any = 1
    for _ in range(MAX_DEPTH):
        value = [value]
    assert find_unstorable("arguments", value) is None
    for _ in range(100_000):
        value = {"a": value}
    assert find_unstorable("arguments", value) == f"arguments: nested more than {MAX_DEPTH} levels deep"


@pytest.mark.parametrize("text", ["\x00", "a\x00b", "\ud800", "x" * 100_000, "é" * 300, "", "'; --"])
def test_no_job_has_an_odd_id(store: JobStore, text: str) -> None:
    assert store.get(text, None) is None
    assert store.claim(text) is None
    assert not store.cancel(text, None)


def test_a_job_ends_with_any_result_or_error(store: JobStore) -> None:
    first, second, third = (store.submit("predict", {})[0].id for _ in range(3))
    leases = [store.claim(each) for each in (first, second, third)]
    assert leases[0] and leases[1] and leases[2]
    assert store.succeed(leases[0], {"a\x00": "b\x00\ud800", "numbers": [math.nan, 10**30, 1e300]})
    assert store.fail(leases[1], "bad column 'a\x00\udfff'" + "x" * 100_000)
    assert store.retry(leases[2], "\x00")
    found = [store.get(each, None) for each in (first, second, third)]
    assert found[0] and found[0].result == {"a\ufffd": "b\ufffd\ufffd", "numbers": [None, 10**30, 1e300]}
    assert found[1] and (found[1].error or "").startswith("bad column 'a\ufffd\ufffd'xxx")
    assert found[2] and (found[2].state, found[2].error) == ("queued", "\ufffd")


@pytest.mark.parametrize(
    ("progress", "stored"),
    [
        ((5, 10), (5, 10)),
        ((2**31, None), (2**30, None)),
        ((6 * 10**9, 12 * 10**9), (10**9, 2 * 10**9)),
        ((-5, -1), (0, 0)),
        ((2**80, 2**80), (MAX_PROGRESS - 1, MAX_PROGRESS - 1)),
    ],
)
def test_any_progress_fits(store: JobStore, progress: tuple[int, int | None], stored: tuple[int, int | None]) -> None:
    store.submit("predict", {})
    lease = store.claim()
    assert lease and store.renew(lease, *progress)
    job = store.get(lease.id, None)
    assert job and job.done == pytest.approx(stored[0], abs=1) and job.done <= MAX_PROGRESS
    assert job.total == (None if stored[1] is None else pytest.approx(stored[1], abs=1))


def test_a_long_name_of_a_worker_is_cut(store: JobStore) -> None:
    other = JobStore(store._engine, worker="host" * 100)
    other.submit("predict", {})
    lease = other.claim()
    assert lease
    other.release()
    job = store.get(lease.id, None)
    assert job and job.state == "queued"


@pytest.mark.parametrize("minutes", [-300, 0, 330, 1439])
def test_times_are_compared_in_utc(store: JobStore, minutes: int) -> None:
    job, _ = store.submit("predict", {})
    zone = timezone(timedelta(minutes=minutes))
    later = (job.created_at + timedelta(seconds=1)).astimezone(zone)
    sooner = (job.created_at - timedelta(seconds=1)).astimezone(zone)
    assert [each.id for each in store.find(None, before=later)] == [job.id]
    assert list(store.find(None, before=sooner)) == []


def test_a_time_without_an_offset_is_in_utc(store: JobStore) -> None:
    job, _ = store.submit("predict", {})
    later = (job.created_at + timedelta(seconds=1)).replace(tzinfo=None)
    assert [each.id for each in store.find(None, before=later)] == [job.id]
    assert list(store.find(None, before=job.created_at.replace(tzinfo=None))) == []


@pytest.mark.parametrize("minutes", [-1439, 0, 1439])
def test_the_first_and_the_last_year_are_times_in_any_zone(store: JobStore, minutes: int) -> None:
    job, _ = store.submit("predict", {})
    zone = timezone(timedelta(minutes=minutes))
    assert list(store.find(None, before=datetime.min.replace(tzinfo=zone))) == []
    assert [each.id for each in store.find(None, before=datetime.max.replace(tzinfo=zone))] == [job.id]
    assert job.created_at.tzinfo is UTC
