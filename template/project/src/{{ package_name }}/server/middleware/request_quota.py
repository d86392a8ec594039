"""Quota of requests by API key."""

import math
from collections.abc import Callable
from typing import Protocol

from starlette.requests import Request
from starlette.types import ASGIApp, Receive, Scope, Send

from ..client import Client
from .rate_limit import TokenBuckets


class RequestCounter(Protocol):
    """Counts the requests of each key."""

    async def take(self, name: str) -> float:
        """Count a request of a key and return 0, or return the seconds until one is allowed."""
        ...

    async def close(self) -> None:
        """Close what is open."""


class LocalCounter:
    """Counts the requests to this process."""

    def __init__(self, rate_per_second: float) -> None:
        """Allow each key this many requests a second."""
        self._buckets = TokenBuckets(rate_per_second)

    async def take(self, name: str) -> float:
        """Count a request of a key and return 0, or return the seconds until one is allowed."""
        return self._buckets.take(name)

    async def close(self) -> None:
        """Do nothing."""


class RequestQuota:
    """ASGI middleware that refuses the requests of a key beyond its quota with status 429.

    It runs behind Authentication. Keys of administrators have no quota, and without keys there is none. The paths of
    `exempt` are never limited.
    """

    def __init__(
        self,
        app: ASGIApp,
        counter: RequestCounter,
        rate_per_second: float,
        refuse: Callable[[Request, int, str, dict[str, str]], ASGIApp],
        exempt: frozenset[str],
    ) -> None:
        """Limit the requests to an application."""
        self._app, self._counter, self._refuse, self._exempt = app, counter, refuse, exempt
        self._message = f"the API key has a quota of {rate_per_second:g} requests a second"

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass the request on, or refuse it."""
        app = self._app
        name = _limited_client(scope)
        if name and scope["type"] == "http" and scope["path"] not in self._exempt:
            seconds = await self._counter.take(name)
            if seconds:
                app = self._refuse(Request(scope), 429, self._message, {"Retry-After": str(math.ceil(seconds))})
        await app(scope, receive, send)


def _limited_client(scope: Scope) -> str:
    """Return the name of the key that sent a request, or nothing if it has no quota."""
    client = scope.get("user")
    return client.name if isinstance(client, Client) and not client.is_admin else ""
