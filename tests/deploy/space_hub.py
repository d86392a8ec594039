"""A small local stand-in of the part of the Hugging Face Hub that creates Spaces and takes commits."""

import base64
import json
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Self

TOKEN = "hf_a-token-that-may-write"


class SpaceHub(ThreadingHTTPServer):
    """The stand-in: a context manager that serves on a free port until it is left."""

    def __init__(self, status: int = 200) -> None:
        """Take a port; every request that writes is answered with `status`, unless it is 200."""
        super().__init__(("127.0.0.1", 0), Handler)
        self.endpoint = f"http://127.0.0.1:{self.server_port}"
        self.status = status
        self.created: list[dict[str, Any]] = []
        self.files: dict[str, str] = {}
        self.secrets: dict[str, str] = {}
        self._thread = threading.Thread(target=self.serve_forever, args=(0.02,), daemon=True)

    def __enter__(self) -> Self:
        """Start to serve."""
        self._thread.start()
        return self

    def __exit__(self, exc_type: object, exc_val: object, exc_tb: object) -> None:
        """Stop."""
        self.shutdown()
        self._thread.join()
        self.server_close()


class Handler(BaseHTTPRequestHandler):
    """Answers one request per connection."""

    server: SpaceHub  # pyrefly: ignore[bad-override-mutable-attribute]

    def do_POST(self) -> None:
        """Answer a request that writes."""
        body = self.body()
        hub = self.server
        if self.headers.get("Authorization") != f"Bearer {TOKEN}":
            self.answer(401, {"error": "Invalid username or password."})
        elif hub.status != 200:
            self.answer(hub.status, {"error": "Refused"})
        elif self.path == "/api/repos/create":
            asked = json.loads(body)
            exists = asked in hub.created
            hub.created.append(asked)
            name = f"{asked['organization']}/{asked['name']}"
            self.answer(409 if exists else 200, {"url": f"{hub.endpoint}/spaces/{name}"})
        elif self.path.endswith("/secrets"):
            secret = json.loads(body)
            hub.secrets[secret["key"]] = secret["value"]
            self.answer(200, {})
        elif self.path.endswith("/preupload/main"):
            files = [file["path"] for file in json.loads(body)["files"]]
            modes = [{"path": path, "uploadMode": "regular", "shouldIgnore": False} for path in files]
            self.answer(200, {"files": modes})
        elif self.path == "/api/validate-yaml":
            self.answer(200, {"errors": [], "warnings": []})
        elif self.path.endswith("/commit/main"):
            for line in map(json.loads, body.splitlines()):
                if line["key"] == "file":
                    hub.files[line["value"]["path"]] = base64.b64decode(line["value"]["content"]).decode()
            self.answer(200, {"commitUrl": f"{hub.endpoint}/spaces/a/b/commit/1", "commitOid": "1" * 40})

    def body(self) -> bytes:
        """Read the body, which may come in chunks."""
        if self.headers.get("Transfer-Encoding") != "chunked":
            return self.rfile.read(int(self.headers.get("Content-Length", 0)))
        body = b""
        while size := int(self.rfile.readline(), 16):
            body += self.rfile.read(size)
            self.rfile.readline()
        self.rfile.readline()
        return body

    def answer(self, status: int, content: dict[str, Any]) -> None:
        """Send JSON, and close the connection."""
        body = json.dumps(content).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: object) -> None:
        """Say nothing."""
