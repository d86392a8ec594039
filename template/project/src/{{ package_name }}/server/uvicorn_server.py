"""uvicorn with the shutdown that orchestrators expect."""

import gc
import logging
import os
import signal
from concurrent.futures import Future
from socket import socket
from types import FrameType
from typing import TYPE_CHECKING, Any

import uvicorn
from starlette.applications import Starlette

if TYPE_CHECKING:  # it creates metrics, whose kind processes.py sets first
    from ..inference.engine import Engine


class Server(uvicorn.Server):
    """uvicorn server that reports not ready as soon as it is asked to stop, then answers the running requests.

    SIGTERM ends it with exit code 0.
    """

    def run(self, sockets: list[socket] | None = None) -> None:
        """Serve until SIGTERM or Ctrl-C."""
        signal.signal(signal.SIGTERM, _exit_now)  # uvicorn raises the signal again after its shutdown
        logging.captureWarnings(True)
        gc.disable()  # until the model is loaded: the objects of a load stay alive
        self.config.load()  # before uvicorn handles signals: handle_exit needs the whole application
        super().run(sockets)

    async def startup(self, sockets: list[socket] | None = None) -> None:
        """Begin to listen while the model is loading. Exit the process with code 3 if that fails."""
        try:
            await super().startup(sockets)
        except SystemExit as failure:
            os._exit(int(failure.code or 0))  # as in _exit_now
        engine = self._engine
        if engine and engine.loading:
            engine.loading.add_done_callback(_enable_garbage_collection)
        else:
            _enable_garbage_collection()

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        """Begin the shutdown; exit at once if no client can have connected yet."""
        if not self.started:
            _exit_now(sig, frame)
        if self._engine:
            self._engine.drain()
        super().handle_exit(sig, frame)

    @property
    def _engine(self) -> "Engine | None":
        """Engine of the application; None before its lifespan begins."""
        app: Any = self.config.loaded_app
        while not isinstance(app, Starlette):  # uvicorn wraps the application in middleware
            app = app.app
        return getattr(app.state, "engine", None)


def _enable_garbage_collection(loaded: Future[None] | None = None) -> None:
    """Collect garbage from now on, but never scan the objects of the load."""
    gc.freeze()
    gc.enable()


def _exit_now(sig: int, frame: FrameType | None) -> None:
    """Exit the process: Python's regular exit would wait for a model that is being loaded."""
    os._exit(0)
