"""What Prometheus reads at /metrics."""

import os
import time

from prometheus_client import REGISTRY, CollectorRegistry, Counter, Gauge, Histogram, generate_latest
from prometheus_client.multiprocess import MultiProcessCollector
from prometheus_client.registry import Collector
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from .batcher import Report

SIZES = [1, 2, 4, 8, 16, 32, 64, 128, 256, 512, 1024]

REQUESTS = Counter("http_requests", "Requests by route and status.", ["method", "route", "status"])
SECONDS = Histogram("http_request_duration_seconds", "Time from request to answer.", ["method", "route"])
INPUTS = Histogram("predict_inputs", "Inputs in a request.", buckets=SIZES)
QUEUE = Gauge("predict_queue_depth", "Inputs that are accepted and not answered yet.", multiprocess_mode="livesum")
WAITED = Histogram("predict_queue_seconds", "Time of an input until its batch begins.")
BATCH = Histogram("predict_batch_inputs", "Inputs in a batch.", buckets=SIZES)
BATCH_SECONDS = Histogram("predict_batch_seconds", "Time to compute a batch.")
TOKENS = Counter("predict_tokens", "Tokens that were computed, padding not included; images count as one.")
PADDING = Counter("predict_padding_tokens", "Tokens of padding that were computed.")
CACHE = Counter("predict_cache", "Inputs that were looked up in the cache: hit or miss.", ["result"])
LOADED = Gauge("predict_processes", "Processes whose model is loaded.", multiprocess_mode="livesum")
MODEL = Gauge(
    "model_info",
    "1 for the model that answers and its code, 0 for those that did before.",
    ["model", "revision", "version"],
    multiprocess_mode="livemax",
)
METHODS = {"GET", "HEAD", "POST", "OPTIONS"}


def exposition(*more: Collector) -> bytes:
    """All of it, in Prometheus' format: what several processes have counted together, and what `more` tell."""
    counted, told = REGISTRY, CollectorRegistry()
    if "PROMETHEUS_MULTIPROC_DIR" in os.environ:
        counted = CollectorRegistry()
        MultiProcessCollector(counted)
    for each in more:
        told.register(each)
    return generate_latest(counted) + generate_latest(told)


def looked_up(hits: int, misses: int) -> None:
    """Counts what was looked up in the cache."""
    CACHE.labels("hit").inc(hits)
    CACHE.labels("miss").inc(misses)


def observe(batch: Report) -> None:
    """Counts a batch."""
    BATCH.observe(len(batch.sizes))
    BATCH_SECONDS.observe(batch.seconds)
    for seconds in batch.waited:
        WAITED.observe(seconds)
    TOKENS.inc(sum(batch.sizes))
    PADDING.inc(max(batch.sizes) * len(batch.sizes) - sum(batch.sizes))


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
