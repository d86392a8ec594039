"""Metrics of a worker over HTTP. Its processes write to files; the parent process sums and serves them."""

import sys
from collections.abc import Generator
from contextlib import contextmanager

from billiard.process import current_process

from ..base_settings import ServiceSettings
from ..observability.shared_metrics import shared_metrics


@contextmanager
def serve_metrics(settings: ServiceSettings) -> Generator[None]:
    """Serve metrics at `metrics_port`, unless that is 0, until the block ends.

    Enter the block before jobs/metrics.py is imported and before processes are forked.

    Raises:
        OSError: The port is in use.
    """
    if not settings.metrics_port:
        yield
        return
    metrics = f"{__package__}.metrics"
    if metrics in sys.modules:  # its counters would stay in the memory of each process
        raise RuntimeError(f"{metrics} was imported before serve_metrics was called")
    with shared_metrics():
        from prometheus_client import CollectorRegistry, start_http_server, values
        from prometheus_client.multiprocess import MultiProcessCollector

        values.ValueClass = values.MultiProcessValue(_process_name)
        registry = CollectorRegistry()
        MultiProcessCollector(registry)
        try:
            server, thread = start_http_server(settings.metrics_port, settings.host, registry)
        except OSError as error:
            raise OSError(f"metrics_port: {settings.host}:{settings.metrics_port}: {error.strerror}") from error
        try:
            yield
        finally:
            server.shutdown()
            server.server_close()
            thread.join()


def _process_name() -> str:
    """Return the index of this process among Celery's: a replacement continues the counters of its predecessor."""
    return str(getattr(current_process(), "index", "first"))
