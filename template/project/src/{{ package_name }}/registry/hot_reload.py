"""Hot reload: the API serves another version of the model as soon as it is selected, without losing a request."""

import asyncio
import logging
from collections.abc import Callable, Sequence

from prometheus_client.registry import Collector

from ..errors import ModelUnavailableError
from ..inference.engine import Engine

logger = logging.getLogger(__name__)


class HotReload:
    """Reload the engine's model when another revision is selected. A service of the API."""

    collectors: Sequence[Collector] = ()

    def __init__(self, engine: Engine, selected_revision: Callable[[], str | None], poll_seconds: float) -> None:
        """Start nothing yet.

        Args:
            engine: The engine that serves the model.
            selected_revision: Return the revision that is selected now; called in a thread. May raise
                ModelUnavailableError.
            poll_seconds: Time between two checks.
        """
        self._engine, self._selected_revision, self._poll_seconds = engine, selected_revision, poll_seconds
        self._polling: asyncio.Task[None] | None = None

    async def start(self) -> None:
        """Start to poll, in the background."""
        self._polling = asyncio.create_task(self._poll())

    async def stop(self) -> None:
        """Stop polling."""
        if self._polling:
            self._polling.cancel()
            await asyncio.wait([self._polling])

    def reasons(self) -> list[str]:
        """Return why the service is not ready: never, since the loaded model stays in use."""
        return []

    async def _poll(self) -> None:
        if self._engine.loading:
            await asyncio.wrap_future(self._engine.loading)
        while True:
            await asyncio.sleep(self._poll_seconds)
            try:
                if await asyncio.to_thread(self._selected_revision) != self._engine.revision:
                    await self._engine.reload()
            except ModelUnavailableError as error:
                logger.warning("the loaded model stays in use: %s", error)
            except Exception:
                logger.exception("the loaded model stays in use")
