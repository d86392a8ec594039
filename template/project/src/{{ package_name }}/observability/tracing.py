"""OpenTelemetry traces of requests, including their time in the queue and their computation.

FastAPI creates a span for each request as soon as there is a tracer provider. The extra `tracing` brings the packages;
their own variables set the target (OTEL_EXPORTER_OTLP_ENDPOINT), the service's name (OTEL_SERVICE_NAME) and the
sampling (OTEL_TRACES_SAMPLER).
"""

import threading
import time
from importlib import import_module
from typing import Any

SHUTDOWN_SECONDS = 5.0
"""Maximum time to send the last spans at the shutdown."""

_provider: Any = None


def missing_module() -> str | None:
    """Return the first required module that is not installed; None if all are."""
    try:
        import_module("opentelemetry.sdk.trace")
        import_module("opentelemetry.exporter.otlp.proto.http.trace_exporter")
    except ModuleNotFoundError as error:
        return error.name
    return None


def start(service: str) -> None:
    """Send spans from now on, in the background, as the service of that name unless OTEL_SERVICE_NAME is set."""
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
    """Send the remaining spans; give up after SHUTDOWN_SECONDS."""
    if _provider:
        sending = threading.Thread(target=_provider.shutdown, daemon=True)
        sending.start()
        sending.join(SHUTDOWN_SECONDS)


def record(submitted: float, began: float | None) -> None:
    """Add the spans `wait` and `compute` to the current request, which ends now. Times are of time.monotonic."""
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
    """Return the trace id of the current request in hexadecimal; None if it is not traced."""
    if not _provider:
        return None
    from opentelemetry import trace

    context = trace.get_current_span().get_span_context()
    return trace.format_trace_id(context.trace_id) if context.is_valid else None
