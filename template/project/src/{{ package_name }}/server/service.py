"""The interface of what runs beside the engine in the server's process."""

from collections.abc import Mapping, Sequence
from typing import Protocol, runtime_checkable

from prometheus_client.registry import Collector


class Service(Protocol):
    """Started with the application and stopped with it, for example the queue of background jobs."""

    @property
    def collectors(self) -> Sequence[Collector]:
        """Prometheus collectors to add to the metrics page."""
        ...

    async def start(self) -> None:
        """Start; the engine's load has begun."""

    async def stop(self) -> None:
        """Stop; the engine still answers."""

    def reasons(self) -> list[str]:
        """Return why the service is not ready; empty if it is. May block: it is called in a thread."""
        ...


@runtime_checkable
class DegradableService(Service, Protocol):
    """A service of which a part may fail while predictions go on."""

    def degraded(self) -> Mapping[str, list[str]]:
        """Return the parts that do not work now, each with the reasons. May block: it is called in a thread."""
        ...
