"""Refuses what a client asks too fast."""

import math
import time
from collections import OrderedDict
from collections.abc import Callable
from ipaddress import IPv6Address, ip_address

from starlette.requests import Request
from starlette.types import ASGIApp, Receive, Scope, Send

from .tracing import ROUTINE

MAX_CLIENTS = 10_000
"""Clients that are remembered; who has not asked for longest is forgotten first."""


class Buckets:
    """A bucket of tokens for each client: each request takes one, and `rate` come back every second.

    A bucket holds what comes back in one second, but one token at least.
    """

    def __init__(self, rate: float, clock: Callable[[], float] = time.monotonic) -> None:
        self._rate, self._clock = rate, clock
        self._full = max(rate, 1.0)
        self._seen: OrderedDict[str, tuple[float, float]] = OrderedDict()

    def take(self, client: str) -> float:
        """Takes a token, and returns 0; or else the seconds until there is one."""
        now = self._clock()
        tokens, before = self._seen.pop(client, (self._full, now))
        tokens = min(self._full, tokens + (now - before) * self._rate)
        allowed = tokens >= 1
        self._seen[client] = (tokens - 1 if allowed else tokens, now)
        if len(self._seen) > MAX_CLIENTS:
            self._seen.popitem(last=False)
        return 0 if allowed else (1 - tokens) / self._rate


class RateLimit:
    """ASGI middleware: `rate` requests a second for each client, the rest of which `refuse` answers with status 429.

    A client is an address, as uvicorn says: X-Forwarded-For counts only from proxies that it trusts
    (FORWARDED_ALLOW_IPS). Of IPv6, it is the network of 64 bits that one subscriber has. Routine requests do not count.
    """

    def __init__(
        self, app: ASGIApp, rate: float, refuse: Callable[[Request, int, str, dict[str, str]], ASGIApp]
    ) -> None:
        self._app, self._refuse = app, refuse
        self._rate = rate
        self._buckets = Buckets(rate)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        app = self._app
        if scope["type"] == "http" and scope["path"] not in ROUTINE:
            seconds = self._buckets.take(_client(scope))
            if seconds:
                message = f"more than {self._rate:g} requests a second"
                app = self._refuse(Request(scope), 429, message, {"Retry-After": str(math.ceil(seconds))})
        await app(scope, receive, send)


def _client(scope: Scope) -> str:
    host = (scope.get("client") or ("", 0))[0]
    try:
        address = ip_address(host)
    except ValueError:
        return host
    if not isinstance(address, IPv6Address):
        return host
    return str(address.ipv4_mapped or int(address) >> 64)
