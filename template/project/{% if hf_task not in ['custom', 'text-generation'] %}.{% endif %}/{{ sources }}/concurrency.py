"""Several batches computed at the same time, on the cores of one processor.

Threads that share the work of one small batch wait for each other at every operator. So where several batches wait,
each is computed by a thread of its own; who is alone has all of them.
"""

import threading
from collections.abc import Generator
from contextlib import contextmanager


class Concurrency:
    """Counts those who compute at the same time."""

    def __init__(self) -> None:
        self._computing = 0
        self._met = False  # whether the last that began did so beside another
        self._counting = threading.Lock()

    @contextmanager
    def beside(self) -> Generator[bool]:
        """Whether others compute as well, while this one does. Where two take turns, neither is alone."""
        with self._counting:
            beside = self._met or self._computing > 0
            self._met = self._computing > 0
            self._computing += 1
        try:
            yield beside
        finally:
            with self._counting:
                self._computing -= 1
