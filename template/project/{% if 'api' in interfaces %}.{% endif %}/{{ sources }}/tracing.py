"""Traces for OpenTelemetry, of requests and of how long they wait and are computed, where they are switched on.

FastAPI makes a span of each request as soon as there is somewhere to send it. The packages are those of the extra
`tracing`, and their own variables say where to (OTEL_EXPORTER_OTLP_ENDPOINT), as what (OTEL_SERVICE_NAME) and how many
(OTEL_TRACES_SAMPLER).
"""

import threading
import time
from collections.abc import MutableMapping
from importlib import import_module
from typing import Any

ROUTINE = {"/health", "/ready", "/metrics"}
"""Paths that are asked every few seconds: not traced, not limited, and not logged where the answer is 200."""

LAST = 5.0
"""Seconds that the last spans have to be sent when the server ends."""

_provider: Any = None


def missing() -> str | None:
    """The first module that is not installed; None if all are."""
    try:
        import_module("opentelemetry.sdk.trace")
        import_module("opentelemetry.exporter.otlp.proto.http.trace_exporter")
    except ModuleNotFoundError as error:
        return error.name
    return None


def is_routine(scope: MutableMapping[str, Any]) -> bool:
    """Whether a request is left out."""
    return scope.get("path") in ROUTINE


def start(service: str) -> None:
    """From now on spans are sent, in the background. The service's name is that, or the environment's."""
    from opentelemetry import trace
    from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
    from opentelemetry.sdk.resources import SERVICE_NAME, Resource
    from opentelemetry.sdk.trace import TracerProvider
    from opentelemetry.sdk.trace.export import BatchSpanProcessor

    global _provider
    resource = Resource.create()
    if str(resource.attributes.get(SERVICE_NAME, "")).startswith("unknown_service"):
        resource = resource.merge(Resource({SERVICE_NAME: service}))
    _provider = TracerProvider(resource=resource, shutdown_on_exit=False)
    _provider.add_span_processor(BatchSpanProcessor(OTLPSpanExporter()))
    trace.set_tracer_provider(_provider)


def stop() -> None:
    """Sends what is left, but does not wait for a receiver that has gone."""
    if _provider:
        sending = threading.Thread(target=_provider.shutdown, daemon=True)
        sending.start()
        sending.join(LAST)


def record(submitted: float, began: float | None) -> None:
    """Two spans of the request under way, which ends now: how long it waited, and was computed; times are monotonic."""
    if not _provider:
        return
    ended = time.monotonic()
    _span("wait", submitted, began or ended, ended)
    if began:
        _span("compute", began, ended, ended)


def _span(name: str, start: float, end: float, now: float) -> None:
    wall = time.time_ns()
    span = _provider.get_tracer(__name__).start_span(name, start_time=wall - int((now - start) * 1e9))
    span.end(wall - int((now - end) * 1e9))


def trace_id() -> str | None:
    """Of the request under way, in hexadecimal digits; None where nothing is traced."""
    if not _provider:
        return None
    from opentelemetry import trace

    context = trace.get_current_span().get_span_context()
    return trace.format_trace_id(context.trace_id) if context.is_valid else None
