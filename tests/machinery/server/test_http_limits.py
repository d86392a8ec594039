"""Limits of the HTTP protocol, with real connections: sizes, slow clients and numbers of connections."""

import asyncio
import json
import os
import re
import socket
import subprocess
import sys
import threading
import time
from collections.abc import AsyncGenerator, AsyncIterator, Generator, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, asynccontextmanager, closing, contextmanager, suppress
from http.client import HTTPConnection
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
from fastapi import FastAPI, Request
from fastapi.responses import StreamingResponse
from machinery.live import BODIES, address, fetch, live, read_until, served

from my_project.cli.serve import SHUTDOWN_BATCH_SECONDS
from my_project.server import http_protocol
from my_project.server.error_handlers import add_error_handlers
from my_project.server.middleware import body_limit
from my_project.server.middleware.body_limit import BodyLimit

SHORT_SECONDS = 0.3
"""Time limit of tests that wait until it is over."""

SOON_SECONDS = 3.0
"""Time in which a limit must have taken effect: ten times itself, for a busy machine."""

MAX_BODY_BYTES = 100_000
LARGE_BYTES = 1 << 26
POST = b"POST /read HTTP/1.1\r\nHost: a\r\n"
GET = b"GET /ready HTTP/1.1\r\nHost: a\r\n\r\n"


@asynccontextmanager
async def lifespan(_: FastAPI) -> AsyncGenerator[dict[str, frozenset[str]]]:
    """Name the health check to the protocol, as the project's application does."""
    yield {"routine_paths": frozenset({"/ready"})}


class App(FastAPI):
    """An application of a few routes, which notes what becomes of them."""

    def __init__(self) -> None:
        """Add the routes."""
        super().__init__(lifespan=lifespan)
        self.arrived = 0
        self.release = threading.Event()
        self.waiting = threading.Semaphore(0)
        self.ended = threading.Event()
        self.add_middleware(BodyLimit, max_bytes=MAX_BODY_BYTES)
        add_error_handlers(self, {})
        self.add_api_route("/ready", self.answer)
        self.add_api_route("/other", self.answer)
        self.add_api_route("/hang", self.hang)
        self.add_api_route("/large", self.large)
        self.add_api_route("/read", self.read, methods=["POST"])

    async def answer(self) -> str:
        """Answer at once."""
        return "answered"

    async def hang(self) -> str:
        """Answer when `release` is set."""
        self.waiting.release()
        await asyncio.to_thread(self.release.wait)
        return "late"

    async def read(self, request: Request) -> dict[str, str]:
        """Read the body and return the headers."""
        async for part in request.stream():
            self.arrived += len(part)
        return dict(request.headers)

    async def large(self) -> StreamingResponse:
        """Return 64 MiB."""
        return StreamingResponse(self.chunks())

    async def chunks(self) -> AsyncIterator[bytes]:
        """Yield 64 MiB, and set `ended`."""
        try:
            for _ in range(LARGE_BYTES >> 18):
                yield bytes(1 << 18)
        finally:
            self.ended.set()


@contextmanager
def serve(app: App, **options: Any) -> Generator[int]:
    """Yield the port of the served application; its hanging requests end with it."""
    with live(app, **options) as url:
        yield urlsplit(url).port or 0
        app.release.set()


@pytest.fixture
def app() -> App:
    """Return the application."""
    return App()


@pytest.fixture
def port(app: App) -> Iterator[int]:
    """Return the port of the served application."""
    with serve(app) as port:
        yield port


def connect(port: int) -> socket.socket:
    """Return a connection to the server."""
    return socket.create_connection(("127.0.0.1", port), timeout=60)


def read(connection: socket.socket) -> bytes:
    """Return all that the server sends until it closes the connection."""
    received = b""
    with suppress(ConnectionError):
        while part := connection.recv(1 << 16):
            received += part
    return received


def exchange(port: int, *parts: bytes) -> bytes:
    """Return all that the server sends in answer to parts of a request until it closes the connection."""
    with closing(connect(port)) as connection:
        with suppress(ConnectionError):
            for part in parts:
                connection.sendall(part)
        return read(connection)


def status(answer: bytes) -> int:
    """Return the status of an answer; 0 if there is none."""
    found = re.match(rb"HTTP/1\.1 (\d{3}) ", answer)
    return int(found[1]) if found else 0


def drip(connection: socket.socket, part: bytes, pause: float = SHORT_SECONDS / 10) -> bytes:
    """Send a part again and again until the server closes the connection; return what it has sent."""
    connection.settimeout(pause)
    received = b""
    with suppress(ConnectionError):
        while True:
            connection.sendall(part)
            with suppress(TimeoutError):
                while part_received := connection.recv(1 << 16):
                    received += part_received
                return received
    return received


def is_answered(port: int) -> bool:
    """Return whether another client gets an answer at once."""
    began = time.monotonic()
    with closing(connect(port)) as other:
        other.sendall(GET)
        return status(other.recv(1 << 16)) == 200 and time.monotonic() - began < SOON_SECONDS


def resident_bytes() -> int:
    """Return the memory of this process, which is the server's."""
    return int(Path("/proc/self/statm").read_text().split()[1]) * 4096


@pytest.mark.parametrize(
    ("head", "expected"),
    [
        (b"A: " + b"a" * 60_000, 200),
        (b"A: " + b"a" * 66_000, 431),
        (b"A" * 66_000 + b": a", 431),
        (b"\r\n".join(b"A%d: a" % number for number in range(198)), 200),
        (b"\r\n".join(b"A%d: a" % number for number in range(200)), 431),
        (b"\r\n".join(b"A%d: a" % number for number in range(50_000)), 431),
    ],
    ids=["60-kb", "66-kb", "name", "200", "202", "50000"],
)
def test_large_heads_are_refused(port: int, head: bytes, expected: int) -> None:
    request = b"GET /ready HTTP/1.1\r\nHost: a\r\nConnection: close\r\n" + head + b"\r\n\r\n"
    assert status(exchange(port, request)) == expected


@pytest.mark.parametrize(("length", "expected"), [(16_000, 404), (16_400, 414), (100_000, 414)])
def test_long_paths_are_refused(port: int, length: int, expected: int) -> None:
    head = b"GET /" + b"a" * length + b" HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n"
    assert status(exchange(port, head)) == expected


def test_endless_parts_of_a_head_are_refused_and_not_kept(port: int) -> None:
    before = resident_bytes()
    endless = [b"a" * 60_000] * 5000
    assert status(exchange(port, b"GET /" + b"a", *endless)) == 414
    assert status(exchange(port, b"GET / HTTP/1.1\r\nA: ", *endless)) == 431
    assert status(exchange(port, *([b"\r\n" * 30_000] * 5000))) == 431
    assert status(exchange(port, b"GET / HTTP/1.1\r\n", *([b"A: " + b"a" * 60_000 + b"\r\n"] * 5000))) == 431
    chunk = b"Transfer-Encoding: chunked\r\n\r\n1"
    assert status(exchange(port, POST + chunk + b";a=", *endless)) == 431
    assert status(exchange(port, POST + chunk + b"\r\na\r\n0\r\nA: ", *endless)) == 431
    assert resident_bytes() - before < 20_000_000
    assert is_answered(port)


def test_trailers_do_not_become_headers(port: int) -> None:
    chunked = b"Connection: close\r\nTransfer-Encoding: chunked\r\n\r\n1\r\na\r\n"
    answer = exchange(port, POST + chunked, b"0\r\nAuthorization: Bearer a\r\n\r\n")
    assert status(answer) == 200
    assert b"transfer-encoding" in answer.lower()
    assert b"uthorization" not in answer


@pytest.mark.parametrize("sent", [b"", b"G", b"GET /ready HTTP/1.1\r\nA: a"], ids=["nothing", "letter", "half"])
@pytest.mark.parametrize("reused", [False, True], ids=["new", "reused"])
def test_heads_that_do_not_arrive_are_given_up(
    port: int, sent: bytes, reused: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(http_protocol, "HEAD_SECONDS", SHORT_SECONDS)
    began = time.monotonic()
    with closing(connect(port)) as connection:
        if reused and sent:
            connection.sendall(GET)
            assert status(connection.recv(1 << 16)) == 200
            began = time.monotonic()
        connection.sendall(sent)
        answer = read(connection)
    assert status(answer) == (408 if sent else 0)
    assert 0.9 * SHORT_SECONDS < time.monotonic() - began < SOON_SECONDS


@pytest.mark.parametrize("part", [b"a", b"\r\n", b"A: a\r\n"], ids=["letter", "line", "header"])
@pytest.mark.parametrize("reused", [False, True], ids=["new", "reused"])
def test_heads_that_drip_in_are_given_up(port: int, part: bytes, reused: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(http_protocol, "HEAD_SECONDS", SHORT_SECONDS)
    began = time.monotonic()
    with closing(connect(port)) as connection:
        if reused:
            connection.sendall(GET)
            assert status(connection.recv(1 << 16)) == 200
            began = time.monotonic()
        if part != b"\r\n":
            connection.sendall(b"GET / HTTP/1.1\r\nB: ")
        answer = drip(connection, part)
    assert status(answer) == (0 if part == b"\r\n" else 408)
    assert 0.9 * SHORT_SECONDS < time.monotonic() - began < SOON_SECONDS


def test_idle_connections_are_closed(app: App) -> None:
    with serve(app, timeout_keep_alive=1) as port, closing(connect(port)) as connection:
        connection.sendall(GET)
        assert status(read(connection)) == 200


@pytest.mark.parametrize(
    ("head", "expected"),
    [
        (POST + b"Content-Length: 90000\r\n\r\n", 408),
        (POST + b"Content-Length: 900000\r\n\r\n", 413),
        (b"POST /none HTTP/1.1\r\nHost: a\r\nContent-Length: 90000\r\n\r\n", 404),
        (b"POST /ready HTTP/1.1\r\nHost: a\r\nContent-Length: 90000\r\n\r\n", 405),
    ],
    ids=["slow", "large", "no-route", "no-method"],
)
def test_what_drips_in_after_the_answer_is_not_read(
    port: int, head: bytes, expected: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(http_protocol, "LINGER_SECONDS", SHORT_SECONDS)
    monkeypatch.setattr(body_limit, "GRACE_SECONDS", SHORT_SECONDS)
    began = time.monotonic()
    with closing(connect(port)) as connection:
        connection.sendall(head)
        answer = drip(connection, b"a")
    assert status(answer) == expected
    assert time.monotonic() - began < SOON_SECONDS


def test_a_client_that_sends_its_body_after_the_answer_keeps_its_connection(port: int) -> None:
    with closing(connect(port)) as connection:
        connection.sendall(POST + b"Content-Length: 900000\r\n\r\n")
        assert status(connection.recv(1 << 16)) == 413
        connection.sendall(bytes(900_000) + GET)
        assert status(connection.recv(1 << 16)) == 200


@pytest.mark.parametrize(("bytes_per_second", "expected"), [(2000, 408), (50_000, 200)])
def test_bodies_need_a_minimum_pace(
    port: int, bytes_per_second: int, expected: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(body_limit, "GRACE_SECONDS", SHORT_SECONDS)
    pause, parts = 0.01, 100
    part = b"a" * int(bytes_per_second * pause)
    with closing(connect(port)) as connection:
        connection.sendall(POST + b"Connection: close\r\nContent-Length: %d\r\n\r\n" % (len(part) * parts))
        began = time.monotonic()
        connection.settimeout(pause)
        answer = b""
        with suppress(ConnectionError):
            for _ in range(parts):
                connection.sendall(part)
                with suppress(TimeoutError):
                    answer += connection.recv(1 << 16)
        connection.settimeout(60)
        answer += read(connection)
    assert status(answer) == expected
    assert time.monotonic() - began < SOON_SECONDS


def test_incomplete_bodies_are_limited_together(app: App, port: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(body_limit, "MAX_INCOMPLETE_BYTES", 3 * MAX_BODY_BYTES // 2)
    head = POST + b"Connection: close\r\nContent-Length: %d\r\n\r\n" % MAX_BODY_BYTES
    body = bytes(MAX_BODY_BYTES)
    with closing(connect(port)) as first, closing(connect(port)) as second:
        first.sendall(head + body[:-1])
        while app.arrived < MAX_BODY_BYTES - 1:
            assert is_answered(port)
        second.sendall(head + body[:-1])
        refused = second.recv(1 << 16)
        assert status(refused) == 503
        assert b"retry-after: 1\r\n" in refused
        first.sendall(body[-1:])
        assert status(read(first)) == 200
    assert status(exchange(port, head + body[:-1], body[-1:])) == 200


def test_clients_that_do_not_read_are_given_up(app: App, port: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(http_protocol, "STALL_SECONDS", SHORT_SECONDS)
    before = resident_bytes()
    with closing(connect(port)) as connection:
        connection.sendall(b"GET /large HTTP/1.1\r\nHost: a\r\n\r\n")
        assert app.ended.wait(SOON_SECONDS)
        assert resident_bytes() - before < 20_000_000
        assert len(read(connection)) < LARGE_BYTES
    assert is_answered(port)


def test_clients_that_read_slowly_get_the_whole_response(app: App, port: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(http_protocol, "STALL_SECONDS", SHORT_SECONDS)
    with closing(connect(port)) as connection:
        connection.sendall(b"GET /large HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n")
        began, received = time.monotonic(), 0
        while part := connection.recv(1 << 20):
            received += len(part)
            time.sleep(max(0, began + received / LARGE_BYTES * 4 * SHORT_SECONDS - time.monotonic()))
    assert time.monotonic() - began > 3 * SHORT_SECONDS
    assert received > LARGE_BYTES


@pytest.fixture
def full(app: App) -> Iterator[int]:
    """Return the port of the application with at most ten connections."""
    with serve(app, limit_concurrency=10) as port:
        yield port


def test_silent_connections_make_room_for_others(full: int) -> None:
    with ExitStack() as opened:
        silent = [opened.enter_context(closing(connect(full))) for _ in range(50)]
        for each in silent:
            with suppress(ConnectionError):
                each.sendall(b"GET")
        assert is_answered(full)
        for each in silent[:40]:
            assert read(each) == b""


def test_a_server_with_busy_connections_alone_refuses_requests_but_no_health_checks(app: App, full: int) -> None:
    with ExitStack() as opened:
        busy = [opened.enter_context(closing(connect(full))) for _ in range(9)]
        for each in busy:
            each.sendall(b"GET /hang HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n")
            assert app.waiting.acquire(timeout=SOON_SECONDS)
        other = opened.enter_context(closing(connect(full)))
        other.sendall(b"GET /other HTTP/1.1\r\nHost: a\r\n\r\n")
        refused = other.recv(1 << 16)
        assert status(refused) == 503
        assert b"retry-after: 1\r\n" in refused
        assert is_answered(full), "in place of the refused one, which is idle"
        silent = [opened.enter_context(closing(connect(full))) for _ in range(50)]
        assert is_answered(full)
        assert read(silent[0]) == b""
        app.release.set()
        assert [status(read(each)) for each in busy] == [200] * 9
        assert status(exchange(full, b"GET /other HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n")) == 200


def test_pipelined_requests_are_limited(app: App, port: int) -> None:
    assert status(exchange(port, GET * 16 + GET.replace(b"Host", b"Connection: close\r\nHost"))) == 200
    before = resident_bytes()
    request = b"GET /hang HTTP/1.1\r\nHost: a\r\n\r\n"
    assert exchange(port, request * 100_000) == b""
    assert resident_bytes() - before < 20_000_000
    assert is_answered(port)


HUNGRY = """
import os, resource, time
from my_project.cli.program import main
from my_project.inference.engine import Engine

resource.setrlimit(resource.RLIMIT_NOFILE, (300, 300))
predict, held = Engine.predict, []

async def hungry(*arguments):
    if held:
        while held:
            os.close(held.pop())
    else:
        try:
            while True:
                held.append(os.open(os.devnull, os.O_RDONLY))
        except OSError:
            pass
    return await predict(*arguments)

Engine.predict = hungry
main()
"""
"""The command with 300 descriptors; a prediction takes all that are left, and the next one returns them."""


def used(process: subprocess.Popen[str]) -> tuple[int, float]:
    """Return the number of descriptors and the CPU seconds of a process."""
    fields = Path(f"/proc/{process.pid}/stat").read_text().rpartition(")")[2].split()
    return len(list(Path(f"/proc/{process.pid}/fd").iterdir())), sum(map(int, fields[11:13])) / os.sysconf("SC_CLK_TCK")


def test_a_server_with_few_descriptors_recovers_when_they_are_used_up() -> None:
    with served("-c", HUNGRY, "serve") as (process, lines), ExitStack() as opened:
        port = address(lines).port or 0
        at_rest, _ = used(process)
        silent = [opened.enter_context(closing(connect(port))) for _ in range(320)]
        assert fetch(port, "/health")[0] == 200
        assert used(process)[0] < 300
        for each in silent:
            each.close()
        assert at_rest < http_protocol.RESERVED_DESCRIPTORS
        kept = opened.enter_context(closing(HTTPConnection("127.0.0.1", port, timeout=60)))
        predict(kept)
        refused = [opened.enter_context(closing(connect(port))) for _ in range(20)]
        _, before = used(process)
        for each in refused:
            each.settimeout(SOON_SECONDS)
            assert read(each) == b"", "closed, not left waiting"
        time.sleep(SHORT_SECONDS)
        assert used(process)[1] - before < SHORT_SECONDS
        predict(kept)
        assert fetch(port, "/health")[0] == 200


def predict(connection: HTTPConnection) -> None:
    """Send a prediction, over a connection that stays open."""
    connection.request("POST", "/predict", json.dumps({"inputs": BODIES[0]}), {"Content-Type": "application/json"})
    with connection.getresponse() as response:
        assert response.status == 200
        response.read()


def test_sigterm_ends_a_server_with_slow_clients_in_time(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MY_PROJECT_MAX_WAIT_SECONDS", "1")
    grace_seconds = 1 + SHUTDOWN_BATCH_SECONDS
    with served("-m", "my_project", "serve") as (process, lines), ExitStack() as opened, ThreadPoolExecutor() as pool:
        port = address(lines).port or 0
        head = b"POST /predict HTTP/1.1\r\nHost: a\r\nContent-Type: application/json\r\nContent-Length: 900000\r\n\r\n"
        sent = [b"", b"GET / HTTP/1.1\r\nA: a", GET, head]
        slow = [opened.enter_context(closing(connect(port))) for _ in sent]
        for connection, part in zip(slow, sent, strict=True):
            connection.sendall(part)
        dripping = pool.submit(drip, slow[-1], b" " * 2000)
        assert fetch(port, "/health")[0] == 200
        process.terminate()
        began = time.monotonic()
        process.communicate(timeout=60)
        assert process.returncode == 0
        assert time.monotonic() - began < grace_seconds + SOON_SECONDS
        dripping.result(timeout=60)


SLOW_LOAD = """
import time
from my_project import components
from my_project.cli.program import main

components.load_model = lambda settings: time.sleep(600)
main()
"""
"""The command, with a model that loads for ten minutes."""


def test_sigterm_ends_a_server_that_loads_its_model() -> None:
    arguments = [sys.executable, "-c", SLOW_LOAD, "serve", "--port", "0"]
    with subprocess.Popen(arguments, stderr=subprocess.PIPE, text=True) as process:
        lines: list[str] = []
        read_until(process, lines, "Uvicorn running")
        assert fetch(address(lines).port or 0, "/ready")[0] == 503
        process.terminate()
        began = time.monotonic()
        process.communicate(timeout=60)
        assert process.returncode == 0
        assert time.monotonic() - began < SOON_SECONDS
