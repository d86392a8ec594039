"""A server of a test on this machine, in a thread of its own."""

import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Self


class LocalServer(ThreadingHTTPServer):
    """A context manager that serves on a free port of 127.0.0.1 until it is left.

    tests/hub.py does the same by itself: generated projects get a copy of that file alone.
    """

    request_queue_size = 64

    def __init__(self, handler: type[BaseHTTPRequestHandler]) -> None:
        """Take a port; `address` is the URL of the server."""
        super().__init__(("127.0.0.1", 0), handler)
        self.address = f"http://127.0.0.1:{self.server_port}"
        self._thread = threading.Thread(target=self.serve_forever, args=(0.02,), daemon=True)

    def __enter__(self) -> Self:
        """Start to serve."""
        self._thread.start()
        return self

    def __exit__(self, exc_type: object, exc_val: object, exc_tb: object) -> None:
        """Stop; from here on connections are refused."""
        self.shutdown()
        self._thread.join()
        self.server_close()
