"""The predictor on a thread of its own, so that the event loop never waits for a model."""

import asyncio
import logging
from collections.abc import Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from datetime import UTC, datetime
from typing import Any

from .predictor import ModelUnavailable, Predictor, load_predictor
from .settings import Settings
from .task import Input, Parameters, Prediction

logger = logging.getLogger(__name__)


class NotReady(RuntimeError):
    """The model cannot answer yet, or at all; the message says why."""


class Engine:
    """Loads the predictor and calls it, one call at a time."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._thread = ThreadPoolExecutor(max_workers=1, thread_name_prefix="predictor")
        self._predictor: Predictor | None = None
        self._draining = False
        self._stopped = False
        self.loading: Future[None] | None = None
        """Ends when the model is loaded, or cannot be."""
        self.loaded_at: datetime | None = None
        """When the model was loaded, in UTC."""
        self._reason: str | None = "the model is loading"

    def start(self) -> None:
        """Begins to load the model, and returns at once."""
        self.loading = self._thread.submit(self._load)

    def drain(self) -> None:
        """Is not ready any more, but takes the calls of requests under way, which may need several."""
        self._draining = True

    def stop(self) -> None:
        """Takes no more calls; returns when the one under way has ended, but does not wait for a load."""
        self.drain()
        self._stopped = True
        self._thread.shutdown(wait=self._predictor is not None, cancel_futures=True)

    @property
    def reason(self) -> str | None:
        """Why the engine is not ready; None when it is."""
        return "the server is shutting down" if self._draining else self._reason

    @property
    def model(self) -> str:
        """Name of the loaded model; until there is one, the settings'."""
        return self._predictor.model if self._predictor else str(self._settings.model)

    @property
    def revision(self) -> str | None:
        """Revision of the loaded model; None while there is none."""
        return self._predictor.revision if self._predictor else None

    @property
    def predictor(self) -> Predictor:
        """The loaded predictor. Raises NotReady."""
        if self._predictor is None or self._stopped:
            raise NotReady(self.reason or "the model is loading")
        return self._predictor

    async def predict(self, inputs: Sequence[Input], parameters: Parameters) -> list[Prediction]:
        """One prediction for each input. Raises NotReady and InvalidInput."""
        return await self.call("predict", inputs, parameters)

    async def call(self, method: str, *arguments: Any) -> Any:
        """What a method of the predictor returns. Raises NotReady, and what the method raises."""
        return await asyncio.wrap_future(self._thread.submit(getattr(self.predictor, method), *arguments))

    def _load(self) -> None:
        try:
            self._predictor = load_predictor(self._settings)
        except ModelUnavailable as error:
            self._reason = str(error)
        except Exception as error:
            self._reason = f"the model failed to load: {type(error).__name__}"
            logger.exception("the model failed to load")
        else:
            self.loaded_at = datetime.now(UTC)
            self._reason = None
            logger.info("loaded %s", self.model)
            return
        logger.error("not ready: %s", self.reason)
