"""The server that runs the API: uvicorn, with the end that orchestrators expect."""

import logging
import os
import signal
from socket import socket
from types import FrameType

import uvicorn


class Server(uvicorn.Server):
    """Not ready from the moment it is asked to stop, it answers what is under way; SIGTERM ends it with exit code 0."""

    def run(self, sockets: list[socket] | None = None) -> None:
        """Serves until SIGTERM or Ctrl-C."""
        signal.signal(signal.SIGTERM, _end)  # uvicorn raises the signal again when it has shut down
        logging.captureWarnings(True)
        self.config.load()  # before uvicorn listens to signals: handle_exit needs the application whole
        super().run(sockets)

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        """Called with a signal, which begins the shutdown."""
        from .api import app

        if engine := getattr(app.state, "engine", None):
            engine.drain()
        super().handle_exit(sig, frame)


def _end(sig: int, frame: FrameType | None) -> None:
    """Ends the process here and now: at its usual end, Python waits for a model that is still being loaded."""
    os._exit(0)
