"""A small local stand-in of the part of the Hugging Face Hub that creates Spaces and takes commits."""

import base64
import json
from http.server import BaseHTTPRequestHandler
from typing import Any

from tests.local_server import LocalServer
from tests.model_hub import read_body

TOKEN = "hf_a-token-that-may-write"


class SpaceHub(LocalServer):
    """The stand-in: a context manager that serves on a free port until it is left."""

    def __init__(self, status: int = 200) -> None:
        """Take a port; every request that writes is answered with `status`, unless it is 200."""
        super().__init__(Handler)
        self.status = status
        self.created: list[dict[str, Any]] = []
        self.files: dict[str, str] = {}
        self.secrets: dict[str, str] = {}
        self.buckets: dict[str, str] = {}
        """Visibility of each bucket."""
        self.volumes: list[dict[str, Any]] = []
        self.restarts = 0
        """How often the volumes of the Space were set, each of which restarts it."""


class Handler(BaseHTTPRequestHandler):
    """Answers one request per connection."""

    server: SpaceHub  # pyrefly: ignore[bad-override-mutable-attribute]

    def do_GET(self) -> None:
        """Tell what the Space runs with; nothing else can be read."""
        if self.path.endswith("/runtime"):
            self.answer(200, {"stage": "RUNNING", "volumes": self.server.volumes or None})
        else:
            self.answer(404, {"error": "Repository not found"})

    def do_PUT(self) -> None:
        """Set the volumes of the Space."""
        assert self.path.endswith("/volumes")
        self.server.volumes = json.loads(read_body(self))["volumes"]
        self.server.restarts += 1
        self.answer(200, {})

    def do_POST(self) -> None:
        """Answer a request that writes."""
        body = read_body(self)
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
            self.answer(409 if exists else 200, {"url": f"{hub.address}/spaces/{name}"})
        elif self.path.startswith("/api/buckets/"):
            name = self.path.removeprefix("/api/buckets/")
            exists = name in hub.buckets
            hub.buckets.setdefault(name, json.loads(body)["visibility"])
            self.answer(409 if exists else 200, {"url": f"{hub.address}/buckets/{name}"})
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
            self.answer(200, {"commitUrl": f"{hub.address}/spaces/a/b/commit/1", "commitOid": "1" * 40})

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
