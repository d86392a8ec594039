"""Helpers for tests of the API: example requests, and servers with real connections."""

import base64
import json
import socket
import subprocess
import sys
import time
from collections.abc import Generator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, contextmanager
from http.client import HTTPConnection
from typing import Any
from urllib.parse import SplitResult, urlsplit

import uvicorn
from example import INPUTS, REFUSED
from fastapi import FastAPI

from my_project.server.asgi import create
from my_project.server.http_protocol import HttpProtocol

TIMEOUT_SECONDS = 60


def as_json(value: Any) -> Any:
    """Return an input as clients send it: bytes in base64."""
    return base64.b64encode(value).decode() if isinstance(value, bytes) else value


BODIES: list[Any] = [as_json(each) for each in INPUTS]
BAD: Any = as_json(REFUSED)


@contextmanager
def live(app: FastAPI | None = None, **options: Any) -> Generator[str]:
    """Serve the API from a thread of this process, with its model loaded; yield its URL.

    Args:
        app: The application; by default the project's own.
        options: Further ones of uvicorn's configuration.
    """
    with socket.create_server(("127.0.0.1", 0)) as listening, ThreadPoolExecutor() as pool:
        server = uvicorn.Server(uvicorn.Config(app or create(), log_config=None, http=HttpProtocol, **options))
        running = pool.submit(server.run, [listening])
        connection = HTTPConnection("127.0.0.1", listening.getsockname()[1], timeout=TIMEOUT_SECONDS)
        try:
            deadline = time.monotonic() + TIMEOUT_SECONDS
            while not _is_ready(connection):
                assert time.monotonic() < deadline
                time.sleep(0.02)
            yield f"http://127.0.0.1:{connection.port}"
        finally:
            connection.close()
            server.should_exit = True
            running.result(timeout=TIMEOUT_SECONDS)


def _is_ready(connection: HTTPConnection) -> bool:
    connection.request("GET", "/ready")
    with connection.getresponse() as response:
        response.read()
        return response.status == 200


@contextmanager
def served(*command: str) -> Generator[tuple[subprocess.Popen[str], list[str]]]:
    """Run Python with a command that serves; yield the process with its model loaded, and its log so far."""
    arguments = [sys.executable, *command, "--port", "0"]
    with subprocess.Popen(arguments, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        try:
            assert process.stderr
            lines: list[str] = []
            while not lines or "my_project.inference.engine" not in lines[-1]:
                lines.append(process.stderr.readline())
                assert lines[-1], "".join(lines)
            yield process, lines
        finally:
            process.terminate()


def address(lines: list[str]) -> SplitResult:
    """Return the URL in the log of a server, which may be JSON."""
    messages = " ".join(json.loads(line)["message"] if line.startswith("{") else line for line in lines)
    return urlsplit(messages[messages.index("http://") :].split()[0])


def read_until(process: subprocess.Popen[str], lines: list[str], text: str) -> None:
    """Read lines of the log up to one that contains the text."""
    assert process.stderr
    while True:
        lines.append(process.stderr.readline())
        assert lines[-1], "".join(lines)
        if text in lines[-1]:
            return


def fetch(port: int, path: str) -> tuple[int, str]:
    """Return status and text of an answer, over a connection of its own."""
    connection = HTTPConnection("127.0.0.1", port, timeout=TIMEOUT_SECONDS)
    with closing(connection):
        connection.request("GET", path)
        with connection.getresponse() as response:
            return response.status, response.read().decode()


def metrics_with(text: str, port: int) -> str:
    """Return the metrics once they contain the text: a request is counted after its client has the answer."""
    deadline = time.monotonic() + TIMEOUT_SECONDS
    while text not in (metrics := fetch(port, "/metrics")[1]):
        assert time.monotonic() < deadline, metrics
        time.sleep(0.02)
    return metrics


def post(port: int, body: dict[str, Any], headers: dict[str, str] | None = None) -> int:
    """Return the status of the answer to a prediction, over a connection of its own."""
    connection = HTTPConnection("127.0.0.1", port, timeout=TIMEOUT_SECONDS)
    with closing(connection):
        headers = {"content-type": "application/json", **(headers or {})}
        connection.request("POST", "/predict", json.dumps(body), headers)
        with connection.getresponse() as response:
            return response.status


def is_open(port: int) -> bool:
    """Return whether a new connection is accepted."""
    try:
        socket.create_connection(("127.0.0.1", port), timeout=5).close()
    except ConnectionRefusedError:
        return False
    return True
