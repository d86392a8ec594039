"""Several server processes on one socket, each with its own model.

The first process listens at once, as a single one does. The others start when its model is loaded, so that weights are
downloaded once, and they listen when theirs is loaded, so that every process that accepts a connection can answer. A
process that ends is replaced.
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

from uvicorn import Config

from ..doctor.machine import processors
from ..observability.shared_metrics import shared_metrics

logger = logging.getLogger(__name__)

SPAWN = multiprocessing.get_context("spawn")

STARTUP_FAILURE = 3
"""uvicorn's exit code when the server cannot listen."""

RESTART_SECONDS = 2.0
"""Minimum time between two starts of the same process."""

_loaded_pipe: Connection | None = None
"""Where this process reports that its model is loaded, if it is one of several."""

_listens_when_loaded = False
"""Whether this process must not listen before its model is loaded."""


@dataclass(eq=False)
class _Child:
    """A server process, as its parent sees it."""

    process: SpawnProcess
    loaded_pipe: Connection
    loaded: bool = False


class Processes:
    """Several server processes, whose metrics are added up."""

    def __init__(self, config: Config, count: int) -> None:
        """Prepare to run `count` processes with the configuration of one."""
        self._config, self._count = config, count
        self._children: dict[int, _Child] = {}
        self._started: dict[int, float] = {}
        self._stopping = False
        self._any_loaded = False
        self._exit_code = 0

    def run(self) -> int:
        """Serve until SIGTERM or Ctrl-C, and return the exit code.

        It is 0 after a signal, 3 if the port is taken, and that of the process if one ends before any has loaded.
        """
        try:
            self._sockets = [self._config.bind_socket()]
        except SystemExit:  # uvicorn has logged the reason
            return STARTUP_FAILURE
        self._stop_requested, request_stop = SPAWN.Pipe(duplex=False)  # a handler alone would not interrupt the wait
        for each in (signal.SIGTERM, signal.SIGINT):
            signal.signal(each, lambda *_: request_stop.send_bytes(b"stop"))
        with shared_metrics():
            os.environ.setdefault("OMP_NUM_THREADS", str(max(1, int(processors()) // self._count)))
            try:
                while self._children or not self._stopping:
                    self._start_missing()
                    self._wait()
            finally:  # leave no process behind, whatever has failed
                for child in self._children.values():
                    child.process.terminate()
                for child in self._children.values():
                    child.process.join()
        return self._exit_code

    def _start_missing(self) -> None:
        """Start the missing processes: none beside a first one that is loading, and none too often."""
        for place in range(self._count):
            any_loaded_now = any(child.loaded for child in self._children.values())
            if self._stopping or (self._children and not any_loaded_now):
                return
            since_start = time.monotonic() - self._started.get(place, -RESTART_SECONDS)
            if place in self._children or since_start < RESTART_SECONDS:
                continue
            loaded_pipe, child_pipe = SPAWN.Pipe(duplex=False)
            arguments = (self._config, self._sockets, place, any_loaded_now, child_pipe)
            process = SPAWN.Process(target=_serve, args=arguments, name=f"serve-{place}")
            self._started[place] = time.monotonic()
            try:
                process.start()
            except OSError as error:  # out of memory or processes
                logger.error("a process could not be started, retrying: %s", error)
                loaded_pipe.close()
            else:
                self._children[place] = _Child(process, loaded_pipe)
            finally:
                child_pipe.close()

    def _wait(self) -> None:
        """Wait until a process has loaded or ended, a stop is requested, or a process may be started."""
        ended = [child.process.sentinel for child in self._children.values()]
        pipes = [child.loaded_pipe for child in self._children.values() if not child.loaded]
        timeout = RESTART_SECONDS if len(self._children) < self._count else None
        connection.wait([self._stop_requested, *ended, *pipes], timeout)
        if self._stop_requested.poll():
            self._stop_requested.recv_bytes()
            self._stop()
        for place, child in list(self._children.items()):
            if not child.loaded and child.loaded_pipe.poll():
                child.loaded = _receive_loaded(child.loaded_pipe)
                self._any_loaded = self._any_loaded or child.loaded
            if not child.process.is_alive():
                self._remove(place, child)

    def _stop(self) -> None:
        self._stopping = True
        for each in self._sockets:
            each.close()  # while it is open, it accepts connections that nobody answers
        for child in self._children.values():
            child.process.terminate()

    def _remove(self, place: int, child: _Child) -> None:
        from prometheus_client.multiprocess import mark_process_dead

        child.process.join()
        child.loaded_pipe.close()
        del self._children[place]
        mark_process_dead(place)
        code = child.process.exitcode or 0
        if not self._stopping and not self._any_loaded:
            self._exit_code = code if code >= 0 else 128 - code  # as shells do for a signal
            self._stop()
        elif not self._stopping:
            logger.error("process %s ended with exit code %d and is replaced", child.process.pid, code)


def _receive_loaded(pipe: Connection) -> bool:
    """Return whether the process reported a loaded model; False if it ended."""
    try:
        return bool(pipe.recv())
    except EOFError:
        return False


def _serve(
    config: Config, sockets: list[socket], place: int, listens_when_loaded: bool, loaded_pipe: Connection
) -> None:
    """Serve in a child process. Its metrics continue those of the previous process in its place."""
    from prometheus_client import values

    from .uvicorn_server import Server

    global _loaded_pipe, _listens_when_loaded
    _loaded_pipe, _listens_when_loaded = loaded_pipe, listens_when_loaded
    values.ValueClass = values.MultiProcessValue(lambda: place)
    threading.Thread(target=_exit_with_parent, daemon=True).start()
    config.configure_logging()
    with suppress(KeyboardInterrupt):
        Server(config).run(sockets)


def _exit_with_parent() -> None:
    parent = multiprocessing.parent_process()
    if parent:
        connection.wait([parent.sentinel])
        os.kill(os.getpid(), signal.SIGTERM)


async def join(loading: Future[None], is_loaded: Callable[[], bool]) -> None:
    """Return when this process may listen, and report to its parent, if any, when the model is loaded.

    If other processes already answer and this one's model fails to load, exit to be replaced.

    Args:
        loading: Completes when the model is loaded or has failed to load.
        is_loaded: Returns whether the model is loaded.
    """
    if _loaded_pipe is None:
        return
    pipe = _loaded_pipe
    loading.add_done_callback(lambda _: pipe.send(True) if is_loaded() else None)
    if _listens_when_loaded:
        await asyncio.wrap_future(loading)
        if not is_loaded():
            os._exit(1)
