"""Dynamic batching of concurrent requests that never delays a single request.

A timer that collects requests delays a lone one, and inputs of different lengths in one batch waste time on padding.
Here the next batch begins when the previous one ends, with whatever is waiting then, or at once for the first input
that arrives. In turns it is cut from the oldest inputs in the queue and from those of the smallest requests. It always
holds the very first of them, together with those closest to its size. So no input starves, and a long list holds up
nobody who sends less.
"""

import logging
import math
import threading
import time
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import Future, InvalidStateError, ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass, field
from itertools import islice
from typing import Any

from ..errors import QueueFullError
from .batching import BatchLimits, Item

logger = logging.getLogger(__name__)

WINDOW_BATCHES = 4
"""Number of full batches among which the next batch is chosen."""

FOLLOWER_WAIT_RATIO = 0.3
"""Wait for the clients just answered, as a part of the time of the last batch."""

MAX_FOLLOWER_WAIT_SECONDS = 0.04
"""Maximum wait for the clients just answered."""

LARGE_RATIO = 1 / 8
"""Part of the queue that large requests may take, so that they leave room for small ones."""

EXTRA_RATIO = 1 / 8
"""Room beyond a full queue, as a part of it, for requests of few inputs.

A request leaves as much of this room as it has inputs, so lists that fill the queue refuse nobody who sends less.
"""


@dataclass(frozen=True)
class BatchReport:
    """Measurements of one batch."""

    sizes: list[int]
    """Size of each item before padding."""
    waited_seconds: list[float]
    """Time of each item in the queue."""
    seconds: float
    """Computing time of the batch."""


class Answer(Future[list[Any]]):
    """The future results of one request."""

    began: float | None = None
    """Start of the first item's computation (time.monotonic); None before."""

    def give_up(self, waited_seconds: float) -> None:
        """Fail with QueueFullError, unless the request is answered already."""
        with suppress(InvalidStateError):
            self.set_exception(QueueFullError(f"an input has waited for {waited_seconds:g} s"))


@dataclass(eq=False)
class _Request:
    """Inputs of one client, which are answered together."""

    count: int
    submitted: float
    max_wait_seconds: float
    preprocess: Callable[[], Sequence[Item]]
    is_large: Callable[[], bool]
    future: Answer = field(default_factory=Answer)
    results: dict[int, Any] = field(default_factory=dict)

    def answer(self, index: int, result: Any) -> None:
        self.results[index] = result
        if len(self.results) == self.count:
            with suppress(InvalidStateError):  # cancelled meanwhile
                self.future.set_result([self.results[each] for each in range(self.count)])

    def fail(self, error: Exception) -> None:
        with suppress(InvalidStateError):
            self.future.set_exception(error)


@dataclass(eq=False)
class _Entry:
    """One input of a request."""

    request: _Request
    index: int
    item: Item


class Batcher:
    """Queue of items that calls `compute` with batches and returns each result to its request.

    `compute` takes items and returns a result for each, in order. If it raises, both halves of the batch are retried
    separately: a bad input fails alone, and a batch that exceeds the memory is computed in parts.
    """

    def __init__(
        self,
        compute: Callable[[list[Item]], Sequence[Any]],
        limits: BatchLimits,
        max_queue: int = 512,
        max_wait_seconds: float = 30,
        report: Callable[[BatchReport], None] | None = None,
        parallel_batches: int = 1,
        wait_for_followers: bool = True,
    ) -> None:
        """Start the computing threads.

        Args:
            compute: Computes one batch; called by several threads if `parallel_batches` is above 1.
            limits: Maximum size of a batch.
            max_queue: Maximum number of inputs accepted and not answered. A single request may have more, and one of
                few inputs may take some of the room beyond (see EXTRA_RATIO).
            max_wait_seconds: Maximum time in the queue; then the request fails.
            report: Called by the computing thread after each batch.
            parallel_batches: Threads that call `compute`. The first one takes every batch while it is idle.
            wait_for_followers: Whether one large batch is so much faster than two that the next batch waits briefly for
                the clients just answered.
        """
        self._compute, self._limits, self._report = compute, limits, report
        self._max_queue, self._max_wait_seconds = max_queue, max_wait_seconds
        self._wait_for_followers = wait_for_followers
        self._accepted = 0
        self._waiting: dict[_Entry, None] = {}  # in order of arrival
        self._computing = 0  # threads inside `compute`
        self._left = False  # whether the last batch left inputs in the queue
        self._smallest_next = False  # whether the next batch is for the smallest requests
        self._closed = False
        self._preprocessed = False  # whether no further item can arrive
        self._changed = threading.Condition()
        self._preprocessor = ThreadPoolExecutor(1, "preprocess")
        self._large_preprocessor = ThreadPoolExecutor(1, "preprocess-large")
        self._large = 0  # inputs of large requests that are not preprocessed
        self._threads = [
            threading.Thread(target=self._run, args=[number], name="compute", daemon=True)
            for number in range(parallel_batches)
        ]
        for thread in self._threads:
            thread.start()

    @property
    def depth(self) -> int:
        """Number of inputs accepted and not answered yet."""
        return self._accepted

    def submit(
        self,
        count: int,
        preprocess: Callable[[], Sequence[Item]],
        is_large: Callable[[], bool] = lambda: False,
        *,
        is_patient: bool = False,
    ) -> Answer:
        """Return the future results of `count` inputs; cancel it when they are not needed any more.

        The future raises what `is_large`, `preprocess` and `compute` raise.

        Args:
            count: Number of inputs.
            preprocess: Returns that many items; called in a thread.
            is_large: Whether `preprocess` takes so long that others must not wait for it. Large requests have a thread
                of their own, one after the other: each may take much memory. Must be fast; called in a thread.
            is_patient: Whether to wait for as long as it takes, once the inputs are accepted.

        Raises:
            QueueFullError: Too many inputs are waiting. The future raises it after `max_wait_seconds`, and at once if
                too many inputs of large requests are waiting.
        """
        max_wait_seconds = math.inf if is_patient else self._max_wait_seconds
        request = _Request(count, time.monotonic(), max_wait_seconds, preprocess, is_large)
        with self._changed:
            if self._closed:
                raise QueueFullError("the server is shutting down")
            extra = max(int(self._max_queue * EXTRA_RATIO) - count, 0)
            if self._accepted and self._accepted + count > self._max_queue + extra:
                raise QueueFullError(f"{self._accepted} inputs are waiting already")
            self._accepted += count
            self._preprocessor.submit(self._begin, request)
        request.future.add_done_callback(lambda _: self._leave(count))
        return request.future

    def close(self) -> None:
        """Refuse new requests, and return when all accepted ones are answered."""
        with self._changed:
            self._closed = True
        self._preprocessor.shutdown()
        self._large_preprocessor.shutdown()
        with self._changed:
            self._preprocessed = True
            self._changed.notify_all()
        for thread in self._threads:
            thread.join()

    def _leave(self, count: int) -> None:
        with self._changed:
            self._accepted -= count

    def _begin(self, request: _Request) -> None:
        """Preprocess a small request; pass a large one on."""
        if not self._is_wanted(request):
            return
        try:
            is_large = request.is_large()
        except Exception as error:
            request.fail(error)
            return
        if not is_large:
            self._preprocess(request)
            return
        with self._changed:
            waiting, count = self._large, request.count
            if waiting and waiting + count > self._max_queue * LARGE_RATIO:
                request.fail(QueueFullError(f"{waiting} inputs of large requests are waiting already"))
                return
            self._large += count
        self._large_preprocessor.submit(self._preprocess_large, request)

    def _preprocess_large(self, request: _Request) -> None:
        if self._is_wanted(request):
            self._preprocess(request)
        with self._changed:
            self._large -= request.count

    def _preprocess(self, request: _Request) -> None:
        try:
            items = list(request.preprocess())
            if len(items) != request.count:
                raise RuntimeError(f"{request.count} inputs made {len(items)} items")
            list(self._limits.split(items, lambda item: item))  # items that cannot be split must fail alone, here
        except Exception as error:
            request.fail(error)
            return
        with self._changed:
            self._waiting |= {_Entry(request, index, item): None for index, item in enumerate(items)}
            self._changed.notify_all()

    def _run(self, thread: int) -> None:
        while batch := self._next(thread):
            began = time.monotonic()
            self._answer(batch)
            with self._changed:
                self._computing -= 1
                wait_seconds = FOLLOWER_WAIT_RATIO * (time.monotonic() - began)
                self._await_followers(batch, min(wait_seconds, MAX_FOLLOWER_WAIT_SECONDS))

    def _next(self, thread: int) -> list[_Entry]:
        """Wait for the next batch of a thread; return an empty one when the batcher is closed."""
        rested = False
        with self._changed:
            while True:
                self._waiting = {entry: None for entry in self._waiting if self._is_wanted(entry.request)}
                if self._waiting and (thread == 0 or self._may_begin_beside(thread, rested)):
                    break
                if self._preprocessed and not self._waiting:
                    self._changed.notify_all()
                    return []
                self._changed.wait()
                rested = True
            window = self._window()
            batch = next(each for each in self._limits.split(window, lambda entry: entry.item) if window[0] in each)
            for entry in batch:
                del self._waiting[entry]
            self._computing += 1
            self._left = bool(self._waiting)
            if self._left or self._preprocessed:  # the next thread may compute too now, or end
                self._changed.notify_all()
            return batch

    def _window(self) -> list[_Entry]:
        """Return the inputs that the next batch is chosen from."""
        ordered: Iterable[_Entry] = self._waiting
        if self._smallest_next:
            ordered = sorted(ordered, key=lambda entry: entry.request.count)
        self._smallest_next = not self._smallest_next
        return list(islice(ordered, WINDOW_BATCHES * self._limits.max_items))

    def _may_begin_beside(self, thread: int, rested: bool) -> bool:
        """Return whether a further thread may take a batch.

        If one large batch is faster than two, an idle thread takes only inputs that another batch has no room for.
        """
        is_needed = self._left or len(self._waiting) >= self._limits.max_items
        return self._computing >= thread and (is_needed or not rested or not self._wait_for_followers)

    def _await_followers(self, batch: list[_Entry], seconds: float) -> None:
        """Give the clients just answered time to send their next request, to be computed in one batch."""
        if self._wait_for_followers and (self._waiting or len({entry.request for entry in batch}) > 1):
            all_of_them = min(len(self._waiting) + len(batch), self._limits.max_items)
            self._changed.wait_for(lambda: len(self._waiting) >= all_of_them, seconds)

    def _is_wanted(self, request: _Request) -> bool:
        if time.monotonic() - request.submitted > request.max_wait_seconds:
            request.future.give_up(request.max_wait_seconds)
        return not request.future.done()

    def _answer(self, batch: list[_Entry]) -> None:
        started = time.monotonic()
        for entry in batch:
            entry.request.future.began = entry.request.future.began or started
        try:
            results = self._compute([entry.item for entry in batch])
            if len(results) != len(batch):
                raise RuntimeError(f"{len(batch)} items gave {len(results)} results")
        except Exception as error:
            if len(batch) == 1:
                batch[0].request.fail(error)
                return
            logger.warning("a batch of %d failed, retrying its halves: %s", len(batch), type(error).__name__)
        else:
            for entry, result in zip(batch, results, strict=True):
                entry.request.answer(entry.index, result)
            self._publish_report(batch, started)
            return
        middle = len(batch) // 2  # outside of the handler, whose traceback would hold the memory of the batch
        self._answer(batch[:middle])
        self._answer(batch[middle:])

    def _publish_report(self, batch: list[_Entry], started: float) -> None:
        if self._report is None:
            return
        waited = [started - entry.request.submitted for entry in batch]
        try:
            self._report(BatchReport([entry.item.size for entry in batch], waited, time.monotonic() - started))
        except Exception:  # the batch is answered, and this thread must go on
            logger.exception("a batch could not be reported")
