"""The predictor behind a batcher, so that the event loop never waits for a model."""

import asyncio
import logging
import time
from collections.abc import Callable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from datetime import UTC, datetime
from typing import Any

from . import metrics, tracing
from .batcher import Answer, Batcher
from .batches import Item
from .cache import Cache, key
from .predictor import ModelUnavailable, Predictor, load_predictor
from .settings import Settings
from .task import Input, Parameters, Prediction

logger = logging.getLogger(__name__)


class NotReady(RuntimeError):
    """The model cannot answer yet, or at all; the message says why."""


class Engine:
    """Loads the predictor, and computes what requests ask of it together."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._loader = ThreadPoolExecutor(max_workers=1, thread_name_prefix="load")
        self._predictor: Predictor | None = None
        self._batcher: Batcher | None = None
        self._cache = Cache(settings.cache_size, metrics.looked_up) if settings.cache_size else None
        self._draining = False
        self.loading: Future[None] | None = None
        """Ends when the model is loaded, or cannot be."""
        self.loaded_at: datetime | None = None
        """When the model was loaded, in UTC."""
        self._reason: str | None = "the model is loading"

    def start(self) -> Future[None]:
        """Begins to load the model, and returns at once; the future ends with the load."""
        self.loading = self._loader.submit(self._load)
        return self.loading

    def drain(self) -> None:
        """Is not ready any more, but takes the calls of requests under way, which may need several."""
        self._draining = True

    def stop(self) -> None:
        """Takes no more calls; returns when all that was accepted is answered, but does not wait for a load."""
        self.drain()
        self._loader.shutdown(wait=False, cancel_futures=True)
        if self._batcher:
            self._batcher.close()

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
        if self._predictor is None:
            raise NotReady(self.reason or "the model is loading")
        return self._predictor

    async def predict(self, inputs: Sequence[Input], parameters: Parameters) -> list[Prediction]:
        """One prediction for each input. Raises NotReady, Busy and InvalidInput."""
        return [prediction for prediction, _ in await self.predict_sized(inputs, parameters)]

    async def predict_sized(self, inputs: Sequence[Input], parameters: Parameters) -> list[tuple[Prediction, int]]:
        """The same with the sizes of the inputs, in tokens. What is kept of before does not wait for its turn."""
        if self._cache is None or not self.predictor.repeats(parameters):
            return await self._predict_anew(inputs, parameters)
        return await self._cache.look_up(
            [key(each, parameters) for each in inputs],
            lambda missing: self._predict_anew([inputs[position] for position in missing], parameters),
        )

    async def _predict_anew(self, inputs: Sequence[Input], parameters: Parameters) -> list[tuple[Prediction, int]]:
        items: list[Item] = []

        def prepare() -> list[Item]:
            items.extend(self.predictor.prepare(inputs, parameters))
            return items

        predictions = await self.compute(len(inputs), prepare)
        return [(prediction, item.size) for prediction, item in zip(predictions, items, strict=True)]

    async def compute(self, count: int, prepare: Callable[[], Sequence[Item]]) -> list[Any]:
        """The results of `count` items, which `prepare` makes in a thread. Raises NotReady, Busy and what it raises."""
        if self._batcher is None:
            raise NotReady(self.reason or "the model is loading")
        submitted = time.monotonic()
        answer = self._batcher.submit(count, prepare)
        metrics.QUEUE.inc(count)
        answer.add_done_callback(lambda _: metrics.QUEUE.dec(count))
        # The batcher looks at its queue between batches, and one can take long.
        patience = asyncio.get_running_loop().call_later(self._settings.max_wait, self._give_up, answer)
        try:
            return await asyncio.wrap_future(answer)
        finally:
            patience.cancel()
            tracing.record(submitted, answer.began)

    def _give_up(self, answer: Answer) -> None:
        if answer.began is None:
            answer.give_up(self._settings.max_wait)

    def _load(self) -> None:
        try:
            predictor = load_predictor(self._settings)
        except ModelUnavailable as error:
            self._reason = str(error)
        except Exception as error:
            self._reason = f"the model failed to load: {type(error).__name__}"
            logger.exception("the model failed to load")
        else:
            self._predictor = predictor
            self._batcher = Batcher(
                predictor.compute,
                predictor.budget,
                max_queue=self._settings.max_queue,
                max_wait=self._settings.max_wait,
                report=metrics.observe,
            )
            metrics.LOADED.set(1)
            self.loaded_at = datetime.now(UTC)
            self._reason = None
            logger.info("loaded %s", self.model)
            return
        logger.error("not ready: %s", self._reason)
