"""Prometheus metrics of requests."""

import time

from prometheus_client import Counter, Histogram
from starlette.types import ASGIApp, Message, Receive, Scope, Send

REQUESTS = Counter("http_requests", "Requests by route and status.", ["method", "route", "status"])
CLIENT_REQUESTS = Counter("http_client_requests", "Requests that were let in, by name of the API key.", ["client"])
SECONDS = Histogram("http_request_duration_seconds", "Time from request to response.", ["method", "route"])

METHODS = {"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"}
"""Methods with a label of their own; clients may send any text."""


class RequestMetrics:
    """ASGI middleware that counts and times requests by route, so that arbitrary paths create no time series."""

    def __init__(self, app: ASGIApp) -> None:
        """Measure the requests to an application."""
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass the request on."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        started = time.perf_counter()
        status = 500

        async def send_noting_status(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
            await send(message)

        try:
            await self._app(scope, receive, send_noting_status)
        finally:
            route = getattr(scope.get("route"), "path", "other")
            method = scope["method"] if scope["method"] in METHODS else "other"
            REQUESTS.labels(method, route, str(status)).inc()
            SECONDS.labels(method, route).observe(time.perf_counter() - started)
            if "user" in scope:  # set by Authentication, unless it refused the request
                CLIENT_REQUESTS.labels(scope["user"].name).inc()
