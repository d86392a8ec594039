"""Questions to other servers that take a bounded time.

A server that is paused or cut off keeps its connections open and answers nothing at all.
"""

import threading
import time
from collections.abc import Callable, Iterable
from concurrent.futures import Future


class Probe:
    """Asks whether a server works, on a thread, of which at most one waits for the answer."""

    def __init__(self, name: str, ask: Callable[[], str | None]) -> None:
        """Ask nothing yet.

        Args:
            name: What is asked, as a message begins with it.
            ask: Return why the server cannot be used, or None. May block for as long as it likes.
        """
        self._name, self._ask = name, ask
        self._lock = threading.Lock()
        self._pending: Future[str | None] | None = None

    def begin(self) -> Future[str | None]:
        """Ask, unless an earlier question is still without an answer, and return what will hold it."""
        with self._lock:
            if self._pending is None or self._pending.done():
                self._pending = Future()
                threading.Thread(target=self._run, args=[self._pending], name="probe", daemon=True).start()
            return self._pending

    def problem(self, timeout_seconds: float) -> str | None:
        """Return why the server cannot be used, or None. Wait at most this long for its answer."""
        try:
            return self.begin().result(max(timeout_seconds, 0))
        except TimeoutError:
            return f"{self._name} does not answer"

    def _run(self, answer: Future[str | None]) -> None:
        try:
            answer.set_result(self._ask())
        except BaseException as error:
            answer.set_exception(error)


def problems(probes: Iterable[Probe], timeout_seconds: float) -> list[str]:
    """Return why servers cannot be used. All are asked at once, and wait at most this long together."""
    probes = list(probes)
    deadline = time.monotonic() + timeout_seconds
    for each in probes:
        each.begin()
    found = [each.problem(deadline - time.monotonic()) for each in probes]
    return [each for each in found if each]
