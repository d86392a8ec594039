"""Share the cores of a CPU between batches that are computed at the same time.

Threads that split one small batch wait for each other at every operator. So each of several waiting batches gets a
thread of its own; a single batch gets all cores.
"""

import threading
from collections.abc import Generator
from contextlib import contextmanager


class ConcurrentRuns:
    """Counts the runs that compute at the same time."""

    def __init__(self) -> None:
        self._running = 0
        self._overlapped = False  # whether the last run began while another was under way
        self._lock = threading.Lock()

    @contextmanager
    def enter(self) -> Generator[bool]:
        """Count the caller as running; the value is whether others run too. Runs that alternate count as together."""
        with self._lock:
            concurrent = self._overlapped or self._running > 0
            self._overlapped = self._running > 0
            self._running += 1
        try:
            yield concurrent
        finally:
            with self._lock:
                self._running -= 1

    @contextmanager
    def together(self) -> Generator[None]:
        """Count each run of the block as one beside others, whenever these begin and end.

        A run alone and one beside others may differ in the last digit, and the same batches must give the same bytes.
        """
        with self._lock:
            self._running += 1
        try:
            yield
        finally:
            with self._lock:
                self._running -= 1
                self._overlapped = False
