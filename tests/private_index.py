"""A package index on this machine that answers only those who know its password."""

import base64
import hashlib
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import TracebackType
from typing import Self
from urllib.parse import quote

from tests.stub_index import Wheel

USER, PASSWORD = "somebody", "pa$s&w#rd-of-somebody"
WHEEL = Wheel("simple", "private-thing", "1.0", "any")


class PrivateIndex:
    """An index with the package private-thing. Use it as a context manager."""

    def __init__(self) -> None:
        name = f"{WHEEL.name.replace('-', '_')}-{WHEEL.version}-py3-none-any.whl"
        link = f'<a href="/files/{name}#sha256={hashlib.sha256(WHEEL.data).hexdigest()}">{name}</a>'.encode()
        files = {"/simple/private-thing/": ("text/html", link), f"/files/{name}": ("application/zip", WHEEL.data)}
        wanted = "Basic " + base64.b64encode(f"{USER}:{PASSWORD}".encode()).decode()

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                kind, content = files.get(self.path, ("", b""))
                known = self.headers.get("Authorization") == wanted
                self.send_response((200 if content else 404) if known else 401)
                if not known:
                    self.send_header("WWW-Authenticate", "Basic")
                self.send_header("Content-Type", kind)
                self.send_header("Content-Length", str(len(content) if known else 0))
                self.end_headers()
                if known and self.command == "GET":
                    self.wfile.write(content)

            do_HEAD = do_GET

            def log_message(self, format: str, *args: object) -> None:
                pass

        self._server = ThreadingHTTPServer(("0.0.0.0", 0), Handler)
        self._thread = threading.Thread(target=self._server.serve_forever)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()

    def url(self, host: str, login: bool = False) -> str:
        """Return the address for clients that reach this machine as `host`."""
        known = f"{USER}:{quote(PASSWORD, safe='')}@" if login else ""
        return f"http://{known}{host}:{self._server.server_port}/simple"
