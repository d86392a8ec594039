"""Count of the requests of each API key that replicas share, in the Redis server of the broker."""

import asyncio
import logging
import time
from fractions import Fraction
from typing import Any

from limits import RateLimitItemPerSecond
from limits.aio.storage import RedisStorage
from limits.aio.strategies import SlidingWindowCounterRateLimiter
from limits.errors import StorageError
from redis import RedisError
from redis.asyncio import BlockingConnectionPool

from ..base_settings import ServiceSettings
from ..server.middleware.request_quota import LocalCounter
from .celery_app import QUEUE, broker_address

logger = logging.getLogger(__name__)

TIMEOUT_SECONDS = 0.5
"""Maximum wait for Redis, in seconds."""

RETRY_SECONDS = 5.0
"""Time without Redis after it has failed, in seconds."""

MAX_CONNECTIONS = 20
"""Maximum number of connections of a process; further requests wait for one."""


class SharedCounter:
    """Counts the requests to all replicas in a sliding window.

    While Redis is unavailable, each process counts on its own: requests are neither refused nor unlimited.
    """

    def __init__(self, settings: ServiceSettings, rate_per_second: float) -> None:
        """Allow each key this many requests a second. It connects on first use."""
        rate = Fraction(rate_per_second).limit_denominator(3600)  # 2.5 a second are 5 in 2 seconds
        self._limit = RateLimitItemPerSecond(max(rate.numerator, 1), rate.denominator)
        address = broker_address(settings)
        self._connections = BlockingConnectionPool.from_url(
            address,
            max_connections=MAX_CONNECTIONS,
            timeout=TIMEOUT_SECONDS,  # the pool now and then swallows the cancellation by a timeout around it
            socket_connect_timeout=TIMEOUT_SECONDS,
            socket_timeout=TIMEOUT_SECONDS,
        )
        options: Any = {"connection_pool": self._connections}  # limits hands it to Redis, whatever its annotation
        storage = RedisStorage(address, implementation="redispy", key_prefix=f"{QUEUE}:requests", **options)
        self._limiter = SlidingWindowCounterRateLimiter(storage)
        self._local = LocalCounter(rate_per_second)
        self._down_until = 0.0

    async def take(self, name: str) -> float:
        """Count a request of a key and return 0, or return the seconds until one is allowed."""
        if time.monotonic() < self._down_until:
            return await self._local.take(name)
        try:
            async with asyncio.timeout(TIMEOUT_SECONDS):
                if await self._limiter.hit(self._limit, name):
                    return 0
                stats = await self._limiter.get_window_stats(self._limit, name)
        except (RedisError, StorageError, OSError) as error:
            if time.monotonic() >= self._down_until:
                logger.warning("Redis cannot count requests, each process does: %s", type(error).__name__)
            self._down_until = time.monotonic() + RETRY_SECONDS
            return await self._local.take(name)
        return max(stats.reset_time - time.time(), 0.001)

    async def close(self) -> None:
        """Close the connections."""
        await self._connections.disconnect()
