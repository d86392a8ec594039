"""Computes what many clients ask together, without making anybody wait for company.

A timer that collects requests makes a lone one wait, and unlike lengths in one batch waste the processor on padding.
So here a batch begins when the last has ended, with what waits by then, or at once with the first that comes. It is cut
out of the oldest that wait, and holds the very oldest with those nearest to its size, so that none starves.
"""

import logging
import threading
import time
from collections.abc import Callable, Sequence
from concurrent.futures import Future, InvalidStateError, ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass, field
from itertools import islice
from typing import Any

from .batches import Budget, Item

logger = logging.getLogger(__name__)

WINDOW = 4
"""Full batches that wait, at most, among which the next one is chosen."""

LINGER, AT_MOST = 0.3, 0.04
"""Part of a batch's time, and seconds, that the next one may begin later, for those who come back at once."""


class Busy(RuntimeError):
    """More is asked than can be computed in time; the message says so, in one line."""


@dataclass(frozen=True)
class Report:
    """What happened in one batch."""

    sizes: list[int]
    """Of its items, before they were padded to the largest."""
    waited: list[float]
    """Seconds of each item, from its submission to the beginning of the batch."""
    seconds: float
    """Time of the computation."""


class Answer(Future[list[Any]]):
    """The results of what a client asks together."""

    began: float | None = None
    """When the first of them began to be computed, on the clock of time.monotonic; None until then."""

    def give_up(self, waited: float) -> None:
        """Raises Busy to whoever still waits for it, after these seconds."""
        with suppress(InvalidStateError):  # it is there
            self.set_exception(Busy(f"an input has waited for {waited:g} s"))


@dataclass(eq=False)
class _Request:
    """Inputs of one client, answered together."""

    count: int
    submitted: float
    future: Answer = field(default_factory=Answer)
    results: dict[int, Any] = field(default_factory=dict)

    def answer(self, index: int, result: Any) -> None:
        self.results[index] = result
        if len(self.results) == self.count:
            with suppress(InvalidStateError):  # nobody wants it any more
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
    """Calls `compute` with batches of items, and gives each result to the request that it belongs to.

    `compute` takes items and returns a result for each, in order. Where it raises, the halves of the batch are tried
    alone: so an input that is poison fails by itself, and what is too much for the memory is computed in parts.

    max_queue: inputs that are accepted and not answered yet; a request alone may have more. max_wait: seconds until an
    input that is not computed yet is given up. `report`, if any, is called by the computing thread after each batch.
    streams: threads that call `compute`, each with a batch of its own; the same one is first whenever it is idle.
    lingers: whether one large batch is so much better than two that those who have just been answered are given time to
    ask again.
    """

    def __init__(
        self,
        compute: Callable[[list[Item]], Sequence[Any]],
        budget: Budget,
        max_queue: int = 512,
        max_wait: float = 30,
        report: Callable[[Report], None] | None = None,
        streams: int = 1,
        lingers: bool = True,
    ) -> None:
        self._compute, self._budget, self._report = compute, budget, report
        self._max_queue, self._max_wait, self._lingers = max_queue, max_wait, lingers
        self._accepted = 0
        self._waiting: dict[_Entry, None] = {}  # in the order in which they came
        self._busy = 0  # threads that compute
        self._left = False  # whether the last batch left others waiting
        self._closed = False
        self._prepared = False
        self._changed = threading.Condition()
        self._preparing = ThreadPoolExecutor(1, "prepare")
        self._computing = [
            threading.Thread(target=self._run, args=[number], name="compute", daemon=True) for number in range(streams)
        ]
        for thread in self._computing:
            thread.start()

    @property
    def depth(self) -> int:
        """Inputs that are accepted and not answered yet."""
        return self._accepted

    def submit(self, count: int, prepare: Callable[[], Sequence[Item]]) -> Answer:
        """The results of `count` inputs, of which `prepare`, called in a thread, makes items.

        Cancel the future when nobody wants them any more. Raises Busy, at once or in the future, if they cannot be
        computed in time; what `prepare` and `compute` raise is raised in the future.
        """
        request = _Request(count, time.monotonic())
        with self._changed:
            if self._closed:
                raise Busy("the server is shutting down")
            if self._accepted and self._accepted + count > self._max_queue:
                raise Busy(f"{self._accepted} inputs are waiting already")
            self._accepted += count
            self._preparing.submit(self._prepare, request, prepare)
        request.future.add_done_callback(lambda _: self._leave(count))
        return request.future

    def close(self) -> None:
        """Takes no more, and returns when all that was accepted is answered."""
        with self._changed:
            self._closed = True
        self._preparing.shutdown()
        with self._changed:
            self._prepared = True
            self._changed.notify_all()
        for thread in self._computing:
            thread.join()

    def _leave(self, count: int) -> None:
        with self._changed:
            self._accepted -= count

    def _prepare(self, request: _Request, prepare: Callable[[], Sequence[Item]]) -> None:
        if not self._is_wanted(request):
            return
        try:
            items = list(prepare())
            if len(items) != request.count:
                raise RuntimeError(f"{request.count} inputs made {len(items)} items")
            list(self._budget.cut(items, lambda item: item))  # what cannot be cut fails here, with nothing beside it
        except Exception as error:
            request.fail(error)
            return
        with self._changed:
            self._waiting |= {_Entry(request, index, item): None for index, item in enumerate(items)}
            self._changed.notify_all()

    def _run(self, stream: int) -> None:
        while batch := self._next(stream):
            began = time.monotonic()
            self._answer(batch)
            with self._changed:
                self._busy -= 1
                self._linger(batch, min(LINGER * (time.monotonic() - began), AT_MOST))

    def _next(self, stream: int) -> list[_Entry]:
        """The next batch, for one that so many others compute beside; empty when nothing more will come."""
        rested = False
        with self._changed:
            while True:
                self._waiting = {entry: None for entry in self._waiting if self._is_wanted(entry.request)}
                if self._waiting and (stream == 0 or self._may_begin_beside(stream, rested)):
                    break
                if self._prepared and not self._waiting:
                    self._changed.notify_all()
                    return []
                self._changed.wait()
                rested = True
            window = list(islice(self._waiting, WINDOW * self._budget.items))
            batch = next(each for each in self._budget.cut(window, lambda entry: entry.item) if window[0] in each)
            for entry in batch:
                del self._waiting[entry]
            self._busy += 1
            self._left = bool(self._waiting)
            if self._left or self._prepared:  # for the next thread, which may compute as well now, or end
                self._changed.notify_all()
            return batch

    def _may_begin_beside(self, stream: int, rested: bool) -> bool:
        """Where one large batch is better than two, a thread that rests begins only what another has no room for."""
        is_needed = self._left or len(self._waiting) >= self._budget.items
        return self._busy >= stream and (is_needed or not rested or not self._lingers)

    def _linger(self, batch: list[_Entry], seconds: float) -> None:
        """Gives those who were answered time to ask again, and be computed with each other and with who waits."""
        if self._lingers and (self._waiting or len({entry.request for entry in batch}) > 1):
            all_of_them = min(len(self._waiting) + len(batch), self._budget.items)
            self._changed.wait_for(lambda: len(self._waiting) >= all_of_them, seconds)

    def _is_wanted(self, request: _Request) -> bool:
        if time.monotonic() - request.submitted > self._max_wait:
            request.future.give_up(self._max_wait)
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
            logger.warning("a batch of %d failed, and is tried in halves: %s", len(batch), type(error).__name__)
        else:
            for entry, result in zip(batch, results, strict=True):
                entry.request.answer(entry.index, result)
            self._tell(batch, started)
            return
        middle = len(batch) // 2  # only here, where no traceback holds the memory of the batch any more
        self._answer(batch[:middle])
        self._answer(batch[middle:])

    def _tell(self, batch: list[_Entry], started: float) -> None:
        if self._report is None:
            return
        waited = [started - entry.request.submitted for entry in batch]
        try:
            self._report(Report([entry.item.size for entry in batch], waited, time.monotonic() - started))
        except Exception:  # those who were answered lost nothing, and those who wait must not
            logger.exception("a batch could not be reported")
