"""The metrics of a worker over HTTP: its processes count in files of one folder, and the first of them adds up."""

import os
from collections.abc import Generator
from contextlib import contextmanager
from tempfile import TemporaryDirectory

from billiard.process import current_process

from .settings import Settings


@contextmanager
def exported(settings: Settings) -> Generator[None]:
    """Tells metrics at the port of the settings, if there is one, until the block ends.

    Enter it before anything counts, and before processes are forked. Raises OSError where the port is taken.
    """
    if not settings.metrics_port:
        yield
        return
    with TemporaryDirectory(prefix="metrics-") as folder:
        os.environ["PROMETHEUS_MULTIPROC_DIR"] = folder  # before anybody imports prometheus_client
        from prometheus_client import CollectorRegistry, start_http_server, values
        from prometheus_client.multiprocess import MultiProcessCollector

        values.ValueClass = values.MultiProcessValue(_place)
        together = CollectorRegistry()
        MultiProcessCollector(together)
        try:
            server, thread = start_http_server(settings.metrics_port, settings.host, together)
        except OSError as error:
            raise OSError(f"metrics_port: {settings.host}:{settings.metrics_port}: {error.strerror}") from error
        try:
            yield
        finally:
            server.shutdown()
            server.server_close()
            thread.join()


def _place() -> str:
    """Of this process among Celery's: one that replaces another counts where that has left off."""
    return str(getattr(current_process(), "index", "first"))
