"""A small local stand-in of the part of GitHub's API that lists and deletes the versions of a container package."""

import json
import re
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler
from urllib.parse import parse_qs, urlsplit

from tests.local_server import LocalServer

TOKEN = "a-token-of-the-workflow"
VERSIONS = "/{owners}/{owner}/packages/container/{name}/versions"
"""Path of the versions of a package, whose name is quoted; owners are users or orgs."""


class PackagesApi(LocalServer):
    """The stand-in, which is asked as a proxy, because `gh` takes no port: a context manager.

    Args:
        path: Path of the versions of the only package that there is.
        tags: Digest of each version, the newest first -> its tags.
        delete: Called with the digest of each version that is deleted.
    """

    def __init__(self, path: str, tags: dict[str, list[str]], delete: Callable[[str], None]) -> None:
        """Take a port."""
        super().__init__(Handler)
        self.path, self.tags, self.delete = path, tags, delete


class Handler(BaseHTTPRequestHandler):
    """Answers one request per connection."""

    server: PackagesApi  # pyrefly: ignore[bad-override-mutable-attribute]

    def do_GET(self) -> None:
        """List the versions, one on each page."""
        asked = urlsplit(self.path)
        page = int(parse_qs(asked.query).get("page", ["1"])[0])
        versions = [
            {"id": number, "name": digest, "metadata": {"container": {"tags": tags}}}
            for number, (digest, tags) in enumerate(self.server.tags.items(), start=1)
        ]
        if not self._is_allowed() or asked.path != self.server.path:
            self._answer(404, {"message": "Not Found"})
            return
        following = f'<http://{asked.netloc}{asked.path}?page={page + 1}>; rel="next"' if page < len(versions) else ""
        self._answer(200, versions[page - 1 : page], following)

    def do_DELETE(self) -> None:
        """Delete a version."""
        found = re.fullmatch(re.escape(self.server.path) + r"/(\d+)", urlsplit(self.path).path)
        if not self._is_allowed() or not found:
            self._answer(404, {"message": "Not Found"})
            return
        self.server.delete(list(self.server.tags)[int(found[1]) - 1])
        self._answer(204, None)

    def log_message(self, format: str, *args: object) -> None:
        """Log nothing."""

    def _is_allowed(self) -> bool:
        return self.headers.get("Authorization") == f"token {TOKEN}"

    def _answer(self, status: int, content: object, following: str = "") -> None:
        body = b"" if content is None else json.dumps(content).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        if following:
            self.send_header("Link", following)
        self.end_headers()
        self.wfile.write(body)
