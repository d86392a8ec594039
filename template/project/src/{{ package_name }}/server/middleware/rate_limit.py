"""Rate limit by client."""

import math
import time
from collections import OrderedDict
from collections.abc import Callable
from ipaddress import IPv6Address, ip_address

from starlette.requests import Request
from starlette.types import ASGIApp, Receive, Scope, Send

MAX_CLIENTS = 10_000
"""Number of clients in memory; the one seen longest ago is forgotten first."""


class TokenBuckets:
    """A token bucket for each client: a request takes a token, and `rate_per_second` tokens return each second.

    A bucket holds the tokens of one second, and at least one.
    """

    def __init__(self, rate_per_second: float, clock: Callable[[], float] = time.monotonic) -> None:
        """Start with a full bucket for every client."""
        self._rate, self._clock = rate_per_second, clock
        self._capacity = max(rate_per_second, 1.0)
        self._seen: OrderedDict[str, tuple[float, float]] = OrderedDict()

    def take(self, client: str) -> float:
        """Take a token and return 0, or return the seconds until there is one."""
        now = self._clock()
        tokens, before = self._seen.pop(client, (self._capacity, now))
        tokens = min(self._capacity, tokens + (now - before) * self._rate)
        allowed = tokens >= 1
        self._seen[client] = (tokens - 1 if allowed else tokens, now)
        if len(self._seen) > MAX_CLIENTS:
            self._seen.popitem(last=False)
        return 0 if allowed else (1 - tokens) / self._rate


class RateLimit:
    """ASGI middleware that allows each client `rate_per_second` requests; `refuse` answers the others with status 429.

    A client is an IPv4 address, or an IPv6 network of 64 bits, which one subscriber has. uvicorn takes the address from
    X-Forwarded-For only if the proxy is trusted (FORWARDED_ALLOW_IPS). The paths of `exempt` are never limited.
    """

    def __init__(
        self,
        app: ASGIApp,
        rate_per_second: float,
        refuse: Callable[[Request, int, str, dict[str, str]], ASGIApp],
        exempt: frozenset[str],
    ) -> None:
        """Limit the requests to an application."""
        self._app, self._refuse, self._exempt = app, refuse, exempt
        self._rate = rate_per_second
        self._buckets = TokenBuckets(rate_per_second)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass the request on, or refuse it."""
        app = self._app
        if scope["type"] == "http" and scope["path"] not in self._exempt:
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
