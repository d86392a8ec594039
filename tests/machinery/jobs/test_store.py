"""The state of jobs in the database, with many workers at once."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from pathlib import Path
from types import SimpleNamespace

import pytest
from databases import empty_database
from sqlalchemy import Engine, update

from my_project.db import migrate
from my_project.db.engine import connect
from my_project.db.models import Job, JobState
from my_project.jobs import store as stores
from my_project.jobs.owner import Owner, QuotaExceededError
from my_project.jobs.store import IdempotencyConflictError, JobStore
from my_project.settings import Settings


@pytest.fixture
def database(tmp_path: Path) -> Iterator[Engine]:
    """Return a database without tables."""
    with empty_database(tmp_path) as address:
        engine = connect(Settings(database=address))
        yield engine
        engine.dispose()


@pytest.fixture
def store(database: Engine) -> JobStore:
    """Return a store without jobs."""
    migrate.migrate(database)
    return JobStore(database, max_failures=3)


def end_leases(database: Engine) -> None:
    """Let all leases expire."""
    with database.begin() as connection:
        connection.execute(update(Job).values(leased_until=Job.created_at))


def make_due(database: Engine) -> None:
    """End the delay before every retry."""
    with database.begin() as connection:
        connection.execute(update(Job).values(due_at=Job.created_at))


def state(store: JobStore, id: str) -> tuple[str, int]:
    """Return the state of a job and its failures."""
    job = store.get(id, None)
    assert job
    return job.state, job.failures


def test_only_one_of_many_workers_leases_a_job(store: JobStore, database: Engine) -> None:
    ids = {store.submit("predict", {})[0].id for _ in range(20)}
    with ThreadPoolExecutor(8) as pool:
        leases = list(pool.map(lambda number: JobStore(database, worker=str(number)).claim(), range(30)))
    got = [lease.id for lease in leases if lease]
    assert len(got) == 20 and set(got) == ids


def test_a_repeated_key_returns_the_existing_job(store: JobStore) -> None:
    with ThreadPoolExecutor(8) as pool:
        jobs = list(pool.map(lambda _: store.submit("predict", {"source": "a"}, "key"), range(16)))
    assert len({job.id for job, _ in jobs}) == 1
    assert [is_new for _, is_new in jobs].count(True) == 1
    with pytest.raises(IdempotencyConflictError):
        store.submit("predict", {"source": "b"}, "key")


def test_another_worker_runs_the_job_of_a_dead_one_which_can_change_nothing_more(
    store: JobStore, database: Engine
) -> None:
    job, _ = store.submit("predict", {})
    first = store.claim()
    assert first and first.id == job.id
    assert store.requeue_expired() == 0
    assert state(store, job.id) == (JobState.RUNNING, 0)
    end_leases(database)
    assert store.requeue_expired() == 1
    second = store.claim(job.id)
    assert second and second.attempt == 2
    assert not store.renew(first, 1, 2)
    assert not store.succeed(first, {"by": "first"})
    assert not store.retry(first, "late")
    assert store.succeed(second, {"by": "second"})
    done = store.get(job.id, None)
    assert done and done.result == {"by": "second"} and done.failures == 1


def test_a_job_that_kills_its_workers_fails_finally(store: JobStore, database: Engine) -> None:
    job, _ = store.submit("predict", {})
    for _ in range(3):
        assert store.claim(job.id)
        end_leases(database)
        assert store.requeue_expired() == 1
    assert state(store, job.id) == (JobState.FAILED, 3)
    assert store.claim() is None


def test_a_failed_job_is_retried_with_a_delay_until_it_fails_too_often(store: JobStore, database: Engine) -> None:
    job, _ = store.submit("predict", {})
    for attempt in range(1, 4):
        lease = store.claim(job.id)
        assert lease and lease.attempt == attempt
        assert store.retry(lease, "no luck") == (JobState.QUEUED if attempt < 3 else JobState.FAILED)
        assert store.claim(job.id) is None, "not before the delay has passed"
        make_due(database)
    assert state(store, job.id) == (JobState.FAILED, 3)


def test_a_released_job_counts_no_failure(store: JobStore, database: Engine) -> None:
    job, _ = store.submit("predict", {})
    other = JobStore(database, worker="other")
    lease = store.claim()
    assert lease
    other.release()
    assert store.renew(lease, 0, None)
    store.release()
    assert state(store, job.id) == (JobState.QUEUED, 0)
    assert not store.renew(lease, 0, None)
    assert other.claim()


def test_a_cancelled_job_stays_cancelled(store: JobStore) -> None:
    waiting, running = (store.submit("predict", {})[0].id for _ in range(2))
    lease = store.claim(running)
    assert lease
    assert store.cancel(waiting, None) and store.cancel(running, None)
    assert not store.cancel(running, None)
    assert store.claim(waiting) is None
    assert not store.succeed(lease, {})
    assert state(store, running) == (JobState.CANCELLED, 0)


def test_each_job_is_announced_once_and_again_if_the_broker_lost_it(
    store: JobStore, database: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    ids = {store.submit("predict", {})[0].id for _ in range(3)}
    assert set(store.take_unannounced()) == ids
    assert store.take_unannounced() == store.take_unannounced(again=True) == []
    monkeypatch.setattr(stores, "LEASE_DURATION", timedelta(0))
    assert set(store.take_unannounced(again=True)) == ids
    store.mark_unannounced([*ids][:1])
    assert store.take_unannounced() == [*ids][:1]


class Clocks:
    """The clock of the system, which may be set, and one that only goes on."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.offset, self.elapsed = timedelta(0), 0.0
        monkeypatch.setattr(stores, "_now", lambda: datetime.now(UTC) + self.offset)
        monkeypatch.setattr(stores, "time", SimpleNamespace(monotonic=lambda: self.elapsed))

    def pass_time(self, time: timedelta) -> None:
        """Let time pass for both."""
        self.offset += time
        self.elapsed += time.total_seconds()


@pytest.fixture
def clocks(monkeypatch: pytest.MonkeyPatch) -> Clocks:
    """Return the clocks of the test."""
    return Clocks(monkeypatch)


@pytest.mark.parametrize("back", [timedelta(seconds=90), timedelta(hours=5), timedelta(days=3650)])
def test_jobs_start_although_the_clock_was_set_back(store: JobStore, clocks: Clocks, back: timedelta) -> None:
    waiting = store.submit("predict", {})[0].id
    clocks.offset -= back
    assert store.take_unannounced() == [waiting]
    clocks.pass_time(2 * stores.LEASE_DURATION)
    assert store.take_unannounced(again=True) == [waiting]
    lease = store.claim()
    assert lease and lease.id == waiting
    assert store.claim() is None


@pytest.mark.parametrize("back", [timedelta(hours=5), timedelta(days=3650)])
def test_a_retry_waits_no_longer_although_the_clock_was_set_back(
    store: JobStore, clocks: Clocks, back: timedelta
) -> None:
    store.submit("predict", {})
    lease = store.claim()
    assert lease and store.retry(lease, "no luck") == JobState.QUEUED
    assert store.claim() is None
    clocks.offset -= back
    assert store.claim()


@pytest.mark.parametrize("back", [timedelta(minutes=2), timedelta(hours=5), timedelta(days=3650)])
def test_the_lease_of_a_dead_worker_expires_although_the_clock_was_set_back(
    store: JobStore, clocks: Clocks, back: timedelta
) -> None:
    dead, alive = (store.submit("predict", {})[0].id for _ in range(2))
    leases = [store.claim(dead), store.claim(alive)]
    clocks.offset -= back
    for _ in range(4):
        assert store.requeue_expired() == 0
        clocks.pass_time(stores.LEASE_DURATION / 4)
        assert leases[1] and store.renew(leases[1], 0, None)
    assert store.requeue_expired() == 1
    assert (state(store, dead), state(store, alive)) == ((JobState.QUEUED, 1), (JobState.RUNNING, 0))


def test_a_clock_that_is_set_forward_costs_an_attempt_at_most(store: JobStore, clocks: Clocks) -> None:
    id = store.submit("predict", {})[0].id
    first = store.claim()
    clocks.offset += timedelta(days=1)
    assert first and store.requeue_expired() == 1
    assert not store.succeed(first, {})
    second = store.claim()
    assert second and store.succeed(second, {})
    assert state(store, id) == (JobState.SUCCEEDED, 1)


def test_jobs_are_listed_newest_first(store: JobStore) -> None:
    jobs = [store.submit("predict", {})[0] for _ in range(3)]
    assert [job.id for job in store.find(None)] == [job.id for job in reversed(jobs)]
    assert [job.id for job in store.find(None, before=jobs[1].created_at)] == [jobs[0].id]
    assert list(store.find(None, JobState.RUNNING)) == []


def test_an_owner_finds_and_cancels_only_its_own_jobs(store: JobStore) -> None:
    mine, yours = (store.submit("predict", {}, owner=Owner(name))[0].id for name in ("me", "you"))
    assert [job.id for job in store.find("me")] == [mine]
    assert [job.id for job in store.find("you", JobState.QUEUED)] == [yours]
    assert list(store.find("Me")) == list(store.find("")) == []
    assert {job.id for job in store.find(None)} == {mine, yours}
    assert store.get(mine, "me") and not store.get(mine, "you") and store.get(mine, None)
    assert not store.cancel(mine, "you")
    assert state(store, mine) == (JobState.QUEUED, 0)
    assert store.cancel(mine, "me") and store.cancel(yours, None)


def test_owners_may_use_the_same_key_for_different_jobs(store: JobStore, database: Engine) -> None:
    owners = [Owner(f"owner {number % 4}", is_admin=number % 4 == 3) for number in range(16)]
    with ThreadPoolExecutor(8) as pool:
        jobs = list(pool.map(lambda owner: store.submit("predict", {"of": owner.name}, "key", owner), owners))
    assert [job.owner for job, _ in jobs] == [owner.name for owner in owners]
    assert len({job.id for job, _ in jobs}) == 4
    assert [is_new for _, is_new in jobs].count(True) == 4
    leases = [lease for _ in range(5) if (lease := store.claim())]
    assert {(each.owner, each.is_admin) for each in leases} == {(each.name, each.is_admin) for each in owners}
    with pytest.raises(IdempotencyConflictError):
        store.submit("predict", {}, "key", owners[0])


def test_no_more_jobs_of_an_owner_wait_than_its_quota_allows(store: JobStore) -> None:
    def submit(number: int) -> bool:
        try:
            return store.submit("predict", {}, f"key {number}", Owner("me"), max_waiting=5)[1]
        except QuotaExceededError:
            return False

    with ThreadPoolExecutor(8) as pool:
        accepted = list(pool.map(submit, range(20)))
    assert accepted.count(True) == len(store.find("me")) == 5
    with pytest.raises(QuotaExceededError, match="5 jobs are waiting already"):
        store.submit("predict", {}, owner=Owner("me"), max_waiting=5)
    repeated = accepted.index(True)
    assert not submit(repeated), "a repeated key returns the existing job"
    assert store.submit("predict", {}, f"key {repeated}", Owner("me"), max_waiting=5)[0].key == f"key {repeated}"
    for other in (Owner("you"), Owner("me", is_admin=True)):
        assert store.submit("predict", {}, owner=other, max_waiting=5)[1]
    assert store.claim() and store.claim()
    assert store.submit("predict", {}, owner=Owner("me"), max_waiting=5)[1], "a running job does not wait"
