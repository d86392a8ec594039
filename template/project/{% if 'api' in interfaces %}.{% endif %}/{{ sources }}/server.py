"""The server that runs the API: uvicorn, with the end that orchestrators expect."""

import gc
import logging
import os
import signal
from concurrent.futures import Future
from socket import socket
from types import FrameType
from typing import Any

import uvicorn


class Server(uvicorn.Server):
    """Not ready from the moment it is asked to stop, it answers what is under way; SIGTERM ends it with exit code 0."""

    def run(self, sockets: list[socket] | None = None) -> None:
        """Serves until SIGTERM or Ctrl-C."""
        signal.signal(signal.SIGTERM, _end)  # uvicorn raises the signal again when it has shut down
        logging.captureWarnings(True)
        gc.disable()  # until the model is loaded: what a load makes stays
        self.config.load()  # before uvicorn listens to signals: handle_exit needs the application whole
        super().run(sockets)

    async def startup(self, sockets: list[socket] | None = None) -> None:
        """Begins to listen while the model is loading. Ends the process with exit code 3 where it cannot."""
        try:
            await super().startup(sockets)
        except SystemExit as failure:
            os._exit(int(failure.code or 0))  # as in _end
        if self._engine and self._engine.loading:
            self._engine.loading.add_done_callback(_collect)
        else:
            _collect()

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        """Called with a signal, which begins the shutdown; ends at once where nobody can have asked anything yet."""
        if not self.started:
            _end(sig, frame)
        if self._engine:
            self._engine.drain()
        super().handle_exit(sig, frame)

    @property
    def _engine(self) -> Any:
        """The application's engine; None where it has none."""
        from .api import app

        return getattr(app.state, "engine", None)


def _collect(loaded: Future[None] | None = None) -> None:
    """Looks for garbage from now on, but not among what a load left."""
    gc.freeze()
    gc.enable()


def _end(sig: int, frame: FrameType | None) -> None:
    """Ends the process here and now: at its usual end, Python waits for a model that is still being loaded."""
    os._exit(0)
