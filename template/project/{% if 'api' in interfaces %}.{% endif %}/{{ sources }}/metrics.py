"""What Prometheus reads at /metrics."""

import time

from prometheus_client import Counter, Histogram, Info
from starlette.types import ASGIApp, Message, Receive, Scope, Send

REQUESTS = Counter("http_requests", "Requests by route and status.", ["method", "route", "status"])
SECONDS = Histogram("http_request_duration_seconds", "Time from request to answer.", ["method", "route"])
INPUTS = Histogram("predict_inputs", "Inputs in a request.", buckets=[1, 2, 4, 8, 16, 32, 64, 128, 256, 512, 1024])
METHODS = {"GET", "HEAD", "POST", "OPTIONS"}
MODEL = Info("model", "The model that answers.")


class RequestMetrics:
    """ASGI middleware: counts and times every request by its route, so that paths made up by clients add nothing."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        started = time.perf_counter()
        status = 500

        async def noted(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
            await send(message)

        try:
            await self._app(scope, receive, noted)
        finally:
            route = getattr(scope.get("route"), "path", "other")
            method = scope["method"] if scope["method"] in METHODS else "other"
            REQUESTS.labels(method, route, str(status)).inc()
            SECONDS.labels(method, route).observe(time.perf_counter() - started)
