"""Several processes that serve on one socket, each with a model of its own: one server to those who ask.

The first process listens at once, as a single one does. The others begin when its model is loaded, so that weights are
downloaded once, and listen when theirs are: so whoever meets one of them is answered. One that ends is replaced.
"""

import asyncio
import logging
import multiprocessing
import os
import signal
import threading
import time
from collections.abc import Callable
from concurrent.futures import Future
from contextlib import suppress
from dataclasses import dataclass
from multiprocessing import connection
from multiprocessing.connection import Connection
from multiprocessing.context import SpawnProcess
from socket import socket
from tempfile import TemporaryDirectory

from uvicorn import Config

from .doctor.machine import processors

logger = logging.getLogger(__name__)

SPAWN = multiprocessing.get_context("spawn")

STARTUP_FAILURE = 3
"""Exit code where the server cannot listen, as uvicorn has it."""

PAUSE = 2.0
"""Seconds between the starts of a process and of its replacement, at least."""


_tell: Connection | None = None
"""Where this process, if it is one of several, tells that its model is loaded."""

_waits = False
"""Whether this process listens only when its model is loaded."""


@dataclass(eq=False)
class _Child:
    """A process, as its parent sees it."""

    process: SpawnProcess
    news: Connection
    """Where it tells that its model is loaded."""
    loaded: bool = False


class Processes:
    """Runs `count` servers until SIGTERM or Ctrl-C. Their metrics add up in a folder that is gone when they are."""

    def __init__(self, config: Config, count: int) -> None:
        self._config, self._count = config, count
        self._children: dict[int, _Child] = {}
        self._started: dict[int, float] = {}
        self._stopping = False
        self._served = False
        self._code = 0

    def run(self) -> int:
        """Exit code: 0 after a signal, 3 where the port is taken, that of a process that ended before any served."""
        try:
            self._sockets = [self._config.bind_socket()]
        except SystemExit:  # uvicorn has logged why
            return STARTUP_FAILURE
        self._asked, ask = SPAWN.Pipe(duplex=False)  # wakes who waits, where a handler of signals alone would not
        for each in (signal.SIGTERM, signal.SIGINT):
            signal.signal(each, lambda *_: ask.send_bytes(b"stop"))
        with TemporaryDirectory(prefix="metrics-") as folder:
            os.environ["PROMETHEUS_MULTIPROC_DIR"] = folder  # before anybody imports prometheus_client
            os.environ.setdefault("OMP_NUM_THREADS", str(max(1, int(processors()) // self._count)))
            try:
                while self._children or not self._stopping:
                    self._fill()
                    self._wait()
            finally:  # whatever has happened, no process is left behind
                for child in self._children.values():
                    child.process.terminate()
                for child in self._children.values():
                    child.process.join()
        return self._code

    def _fill(self) -> None:
        """Starts what is missing: nothing beside a first process that is loading, nothing again and again."""
        for place in range(self._count):
            answering = any(child.loaded for child in self._children.values())
            if self._stopping or (self._children and not answering):
                return
            if place in self._children or time.monotonic() < self._started.get(place, -PAUSE) + PAUSE:
                continue
            news, tell = SPAWN.Pipe(duplex=False)
            arguments = (self._config, self._sockets, place, answering, tell)
            process = SPAWN.Process(target=_serve, args=arguments, name=f"serve-{place}")
            self._started[place] = time.monotonic()
            try:
                process.start()
            except OSError as error:  # no memory, or no process more
                logger.error("a process could not be started, and is tried again: %s", error)
                news.close()
            else:
                self._children[place] = _Child(process, news)
            finally:
                tell.close()

    def _wait(self) -> None:
        """Returns when something has happened, or might be started."""
        events = [child.process.sentinel for child in self._children.values()]
        news = [child.news for child in self._children.values() if not child.loaded]
        connection.wait([self._asked, *events, *news], PAUSE if len(self._children) < self._count else None)
        if self._asked.poll():
            self._asked.recv_bytes()
            self._stop()
        for place, child in list(self._children.items()):
            if not child.loaded and child.news.poll():
                child.loaded = _told(child.news)
                self._served = self._served or child.loaded
            if not child.process.is_alive():
                self._bury(place, child)

    def _stop(self) -> None:
        self._stopping = True
        for each in self._sockets:
            each.close()  # or else it would take connections that nobody answers
        for child in self._children.values():
            child.process.terminate()

    def _bury(self, place: int, child: _Child) -> None:
        from prometheus_client.multiprocess import mark_process_dead

        child.process.join()
        child.news.close()
        del self._children[place]
        mark_process_dead(place)
        code = child.process.exitcode or 0
        if not self._stopping and not self._served:
            self._code = code if code >= 0 else 128 - code  # as a shell names a signal
            self._stop()
        elif not self._stopping:
            logger.error("process %s ended with exit code %d, and is replaced", child.process.pid, code)


def _told(news: Connection) -> bool:
    """Whether a process has told that its model is loaded, and not just ended."""
    try:
        return bool(news.recv())
    except EOFError:
        return False


def _serve(config: Config, sockets: list[socket], place: int, waits: bool, tell: Connection) -> None:
    """What each process does; it counts where the one before it in its place has left off."""
    from prometheus_client import values

    from .server import Server

    global _tell, _waits
    _tell, _waits = tell, waits
    values.ValueClass = values.MultiProcessValue(lambda: place)
    threading.Thread(target=_end_with_parent, daemon=True).start()
    config.configure_logging()
    with suppress(KeyboardInterrupt):
        Server(config).run(sockets)


def _end_with_parent() -> None:
    parent = multiprocessing.parent_process()
    if parent:
        connection.wait([parent.sentinel])
        os.kill(os.getpid(), signal.SIGTERM)


async def join(loading: Future[None], is_loaded: Callable[[], bool]) -> None:
    """Returns when this process may listen; tells the parent, if there is one, when its model is loaded.

    Where others answer, a process whose model cannot be loaded ends, to be replaced.
    """
    if _tell is None:
        return
    tell = _tell
    loading.add_done_callback(lambda _: tell.send(True) if is_loaded() else None)
    if _waits:
        await asyncio.wrap_future(loading)
        if not is_loaded():
            os._exit(1)
