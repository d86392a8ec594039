"""The count of requests that replicas share, and what happens without Redis."""

import asyncio
import logging
import os
import socket
import time
import uuid
from collections.abc import AsyncGenerator, Iterator
from contextlib import asynccontextmanager, closing

import pytest

from my_project.jobs import request_counter
from my_project.jobs.request_counter import SharedCounter
from my_project.settings import Settings

REDIS = os.environ.get("TEST_REDIS", "")

needs_redis = pytest.mark.skipif(not REDIS, reason="needs the address of a Redis server in TEST_REDIS")


@pytest.fixture
def silent() -> Iterator[str]:
    """Return the address of a server that accepts connections and never answers."""
    with closing(socket.create_server(("127.0.0.1", 0))) as server:
        yield f"redis://127.0.0.1:{server.getsockname()[1]}"


@asynccontextmanager
async def counters(address: str, rate: float, count: int) -> AsyncGenerator[list[SharedCounter]]:
    """Yield the counters of several replicas."""
    found = [SharedCounter(Settings(broker=address), rate) for _ in range(count)]
    try:
        yield found
    finally:
        for each in found:
            await each.close()


@needs_redis
@pytest.mark.parametrize(("rate", "allowed"), [(7 / 60, 7), (1 / 60, 1)])
def test_replicas_share_the_quota_of_a_key(rate: float, allowed: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(request_counter, "TIMEOUT_SECONDS", 60)
    name, other = uuid.uuid4().hex, uuid.uuid4().hex

    async def ask() -> tuple[list[float], float]:
        async with counters(REDIS, rate, 3) as replicas:
            seconds = await asyncio.gather(*(each.take(name) for _ in range(10) for each in replicas))
            assert await replicas[0].take(other) == 0, "each key has its own quota"
            return seconds, await replicas[1].take(name)

    seconds, again = asyncio.run(ask())
    assert seconds.count(0) == allowed
    assert 0 < again <= 61


def test_without_redis_each_process_counts_and_says_so_once(silent: str, caplog: pytest.LogCaptureFixture) -> None:
    with closing(socket.create_server(("127.0.0.1", 0))) as server:
        gone = f"redis://127.0.0.1:{server.getsockname()[1]}"

    async def ask(address: str) -> tuple[list[float], float]:
        async with counters(address, 2, 1) as [counter]:
            started = time.monotonic()
            seconds = await asyncio.gather(*(counter.take("me") for _ in range(50)))
            seconds += [await counter.take("me") for _ in range(50)]
            return seconds, time.monotonic() - started

    for address in (gone, *[silent] * 5):
        caplog.clear()
        with caplog.at_level(logging.WARNING):
            seconds, duration = asyncio.run(ask(address))
        assert 2 <= seconds.count(0) <= 2 + 2 * duration
        assert duration < request_counter.RETRY_SECONDS, "requests go on"
        assert len([each for each in caplog.records if "Redis cannot count" in each.message]) == 1


@needs_redis
def test_the_quota_is_shared_again_when_redis_is_back(silent: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(request_counter, "RETRY_SECONDS", 0.0)
    name, patient = uuid.uuid4().hex, 60

    async def ask() -> list[float]:
        async with counters(silent, 0.01, 1) as [lost]:
            impatient = request_counter.TIMEOUT_SECONDS
            monkeypatch.setattr(request_counter, "TIMEOUT_SECONDS", patient)
            async with counters(REDIS, 0.01, 2) as [first, second]:
                working, first._limiter = first._limiter, lost._limiter
                monkeypatch.setattr(request_counter, "TIMEOUT_SECONDS", impatient)
                seconds = [await first.take(name)]
                first._limiter = working
                monkeypatch.setattr(request_counter, "TIMEOUT_SECONDS", patient)
                return [*seconds, await first.take(name), await second.take(name)]

    alone, shared, refused = asyncio.run(ask())
    assert (alone, shared) == (0, 0) and refused > 0
