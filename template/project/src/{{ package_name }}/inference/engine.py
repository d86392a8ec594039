"""The engine: loads the model and computes the inputs of concurrent requests without blocking the event loop."""

import asyncio
import logging
import time
from collections.abc import Callable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, NamedTuple, Protocol, TypeVar

from pydantic import BaseModel

from .. import __version__
from ..base_settings import ServiceSettings
from ..errors import ModelUnavailableError, NotReadyError
from ..observability import tracing
from . import metrics
from .batcher import Answer, Batcher
from .batching import Item
from .cache import Cache, cache_key
from .missing_libraries import explain
from .model import InferenceModel

logger = logging.getLogger(__name__)

AnyModel = InferenceModel[Any, Any, Any]
ResultT = TypeVar("ResultT")


@dataclass(frozen=True)
class AnsweredRequest:
    """The inputs of a request, with their predictions."""

    model: str
    revision: str | None
    inputs: Sequence[Any]
    parameters: BaseModel
    predictions: Sequence[Any]
    seconds: float


class PredictionRecorder(Protocol):
    """Stores answered requests, for example in a database. No method may block the event loop for long."""

    def start(self) -> None:
        """Begin to store what is recorded."""

    def stop(self) -> None:
        """Store what is pending, then return. Called after the last request."""

    def record(self, answered: AnsweredRequest) -> None:
        """Record the current request, and return at once."""


class _Loaded(NamedTuple):
    """A model with its own queue and cache."""

    model: AnyModel
    batcher: Batcher
    cache: Cache | None
    at: datetime


class Engine:
    """Serves one model, which another version may replace while requests are computed."""

    def __init__(
        self,
        settings: ServiceSettings,
        load_model: Callable[[], AnyModel],
        recorder: PredictionRecorder | None = None,
    ) -> None:
        """Create an engine that does nothing before `start`.

        Args:
            settings: Limits of the queue and the cache.
            load_model: Returns the model; called in a thread, again for each reload.
            recorder: Records every answered request.
        """
        self._settings, self._load_model, self._recorder = settings, load_model, recorder
        self._loaded: _Loaded | None = None
        self._draining = False
        self.loading: Future[None] | None = None
        """Completes when the model is loaded or has failed to load."""
        self._reason: str | None = "the model is loading"

    def start(self) -> Future[None]:
        """Begin to load the model in the background, and return the future of the load."""
        if self._recorder:
            self._recorder.start()
        self.loading = _in_thread(self._load)
        return self.loading

    async def reload(self) -> None:
        """Load the model again and serve it; requests accepted before are answered by the previous one.

        Call in the event loop of the server. If `load_model` raises, the exception is raised here and the previous
        model stays.
        """
        model = await asyncio.wrap_future(_in_thread(self._load_model))
        previous = self._loaded
        self._serve(model)
        if previous:
            await asyncio.to_thread(previous.batcher.close)

    def drain(self) -> None:
        """Report not ready, but go on answering: running requests may need several calls."""
        self._draining = True

    def stop(self) -> None:
        """Refuse new calls and return when the accepted ones are answered. Does not wait for a running load."""
        self.drain()
        if self._loaded:
            self._loaded.batcher.close()
        if self._recorder:
            self._recorder.stop()

    @property
    def reason(self) -> str | None:
        """Why the engine is not ready; None if it is ready."""
        return "the server is shutting down" if self._draining else self._reason

    @property
    def name(self) -> str:
        """Name of the loaded model, or of the configured one before it is loaded."""
        return self._loaded.model.name if self._loaded else f"{self._settings.model}"

    @property
    def revision(self) -> str | None:
        """Revision of the loaded model; None before it is loaded."""
        return self._loaded.model.revision if self._loaded else None

    @property
    def loaded_at(self) -> datetime | None:
        """Time of the load in UTC; None before the model is loaded."""
        return self._loaded.at if self._loaded else None

    @property
    def model(self) -> AnyModel:
        """The loaded model.

        Raises:
            NotReadyError: The model is not loaded.
        """
        return self._require_loaded().model

    async def predict(self, inputs: Sequence[Any], parameters: BaseModel, *, is_patient: bool = False) -> list[Any]:
        """Return a prediction for each input, in order.

        Args:
            inputs: What to predict.
            parameters: Parameters of the task.
            is_patient: Whether to wait for as long as it takes, once the inputs are accepted.

        Raises:
            InvalidInputError: The model cannot take an input or a parameter.
            NotReadyError: The model is not loaded.
            QueueFullError: Too many inputs are waiting.
        """
        return [prediction for prediction, _ in await self.predict_sized(inputs, parameters, is_patient=is_patient)]

    async def predict_sized(
        self, inputs: Sequence[Any], parameters: BaseModel, *, is_patient: bool = False
    ) -> list[tuple[Any, int]]:
        """Return a prediction and the size in tokens for each input. Raises what `predict` raises.

        Cached predictions do not wait in the queue.
        """
        loaded = self._require_loaded()
        if self._recorder is None:
            return await self._predict_or_look_up(loaded, inputs, parameters, is_patient)
        began = time.monotonic()
        sized = await self._predict_or_look_up(loaded, inputs, parameters, is_patient)
        predictions = [prediction for prediction, _ in sized]
        seconds = time.monotonic() - began
        model = loaded.model
        self._recorder.record(AnsweredRequest(model.name, model.revision, inputs, parameters, predictions, seconds))
        return sized

    async def _predict_or_look_up(
        self, loaded: _Loaded, inputs: Sequence[Any], parameters: BaseModel, is_patient: bool
    ) -> list[tuple[Any, int]]:
        if loaded.cache is None or not loaded.model.is_deterministic(parameters):
            return await self._predict(inputs, parameters, is_patient)
        return await loaded.cache.get_or_compute(
            [cache_key(each, parameters) for each in inputs],
            lambda missing: self._predict([inputs[position] for position in missing], parameters, is_patient),
        )

    async def _predict(self, inputs: Sequence[Any], parameters: BaseModel, is_patient: bool) -> list[tuple[Any, int]]:
        items: list[Item] = []
        model = self.model

        def preprocess() -> list[Item]:
            model.check_request(inputs, parameters)
            items.extend(model.preprocess(inputs, parameters))
            return items

        predictions = await self.compute(len(inputs), preprocess, lambda: model.is_large(inputs), is_patient=is_patient)
        return [(prediction, item.size) for prediction, item in zip(predictions, items, strict=True)]

    async def compute(
        self,
        count: int,
        preprocess: Callable[[], Sequence[Item]],
        is_large: Callable[[], bool] = lambda: False,
        *,
        is_patient: bool = False,
    ) -> list[Any]:
        """Return the results of `count` items, which `preprocess` returns; it is called in a thread.

        So is `is_large`: whether `preprocess` takes so long that others must not wait for it. The items of a patient
        caller wait for as long as it takes, once they are accepted.

        Raises:
            NotReadyError: The model is not loaded.
            QueueFullError: Too many inputs are waiting.
        """
        submitted = time.monotonic()
        answer = self._require_loaded().batcher.submit(count, preprocess, is_large, is_patient=is_patient)
        metrics.QUEUE_DEPTH.inc(count)
        answer.add_done_callback(lambda _: metrics.QUEUE_DEPTH.dec(count))
        if is_patient:
            return await asyncio.wrap_future(answer)
        # The batcher checks its queue between batches only, and one can take long.
        timeout = asyncio.get_running_loop().call_later(self._settings.max_wait_seconds, self._give_up, answer)
        try:
            return await asyncio.wrap_future(answer)
        finally:
            timeout.cancel()
            tracing.record(submitted, answer.began)

    def _give_up(self, answer: Answer) -> None:
        if answer.began is None:
            answer.give_up(self._settings.max_wait_seconds)

    def _require_loaded(self) -> _Loaded:
        if self._loaded is None:
            raise NotReadyError(self.reason or "the model is loading")
        return self._loaded

    def _load(self) -> None:
        try:
            model = self._load_model()
        except ModelUnavailableError as error:
            self._reason = str(error)
        except Exception as error:
            needed = explain(error)
            self._reason = f"the model {needed}" if needed else f"the model failed to load: {type(error).__name__}"
            logger.exception("the model failed to load")
        else:
            self._serve(model)
            return
        logger.error("not ready: %s", self._reason)

    def _serve(self, model: AnyModel) -> None:
        """Answer with this model from now on."""
        settings = self._settings
        batcher = Batcher(
            model.predict_batch,
            model.limits,
            max_queue=settings.max_queue,
            max_wait_seconds=settings.max_wait_seconds,
            report=metrics.observe,
            parallel_batches=model.parallel_batches,
            wait_for_followers=model.wait_for_followers,
        )
        cache = Cache(settings.cache_size, metrics.count_cache) if settings.cache_size else None
        if self._loaded:
            metrics.MODEL.labels(self.name, self.revision or "", __version__).set(0)
        self._loaded = _Loaded(model, batcher, cache, datetime.now(UTC))
        metrics.MODEL.labels(self.name, self.revision or "", __version__).set(1)
        metrics.LOADED.set(1)
        self._reason = None
        logger.info("loaded %s", " ".join(filter(None, [self.name, self.revision])))


def _in_thread(function: Callable[[], ResultT]) -> Future[ResultT]:
    """Run a function in a thread of its own, which ends with it.

    OpenMP keeps the threads that a load has computed with for as long as the load's own thread lives. With more threads
    than cores, those that compute a batch sleep between two operators: a small batch takes a third more time.
    """
    thread = ThreadPoolExecutor(1, "load")
    running = thread.submit(function)
    thread.shutdown(wait=False)
    return running
