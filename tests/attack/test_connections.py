"""Connections that an attacker opens harm nobody."""

import asyncio
import resource
import select
import socket
import time
from contextlib import ExitStack, suppress
from urllib.parse import urlsplit

import pytest

from tests.attack.neighbour import MAX_MEMORY_BYTES, Neighbour, Watch, descriptors, memory, peak_memory
from tests.conftest import need
from tests.installed import Server

pytestmark = pytest.mark.project

HEAD = b"POST /predict HTTP/1.1\r\nHost: a\r\nContent-Type: application/json\r\nContent-Length: 1000\r\n\r\n"

SLOW_CLIENTS = 320
SLOW_SECONDS = 40.0
"""Time in which all slow clients must be gone: twice the limit for a head."""
BETWEEN_SECONDS = 0.02
"""Pause between two slow clients."""
PAUSE_SECONDS = 1.0
"""Pause between two bytes of a slow client."""

CONNECTIONS = 2000
REQUESTS = 10
"""Number of requests over each connection."""

SPARE_DESCRIPTORS = 10
"""Descriptors that the neighbour and other threads may have open."""
LEAK_BYTES = 10_000_000


@pytest.mark.parametrize("sent", [b"", HEAD[:20], HEAD, HEAD + b'{"inputs": "a'], ids=["none", "head", "body", "half"])
def test_clients_that_stop_in_the_middle_hold_up_nobody(texts: Server, neighbour: Neighbour, sent: bytes) -> None:
    address = urlsplit(texts.url)

    def stop_in_the_middle() -> None:
        for _ in range(50):
            silent = connections.enter_context(socket.create_connection((address.hostname or "", address.port or 0)))
            silent.sendall(sent)

    with ExitStack() as connections:
        neighbour.beside(stop_in_the_middle)


@pytest.mark.parametrize(
    ("begin", "part"),
    [
        (b"", b""),
        pytest.param(b"", b"\r\n", marks=pytest.mark.exhaustive),
        (b"GET /health HTTP/1.1\r\nHost: localhost\r\nA: ", b"a"),
        (HEAD, b" "),
        pytest.param(HEAD.replace(b"/predict", b"/none"), b" ", marks=pytest.mark.exhaustive),
        (HEAD.replace(b"1000", b"1000000000"), b" "),
    ],
    ids=["silent", "lines", "header", "body", "unread-body", "large-body"],
)
def test_clients_that_are_too_slow_are_given_up(texts: Server, neighbour: Neighbour, begin: bytes, part: bytes) -> None:
    before = descriptors(texts.process.pid)

    def drip() -> None:
        deadline = time.monotonic() + SLOW_SECONDS
        with ExitStack() as opened:
            slow = []
            for _ in range(SLOW_CLIENTS):
                slow.append(opened.enter_context(connect(texts)))
                slow[-1].sendall(begin)
                time.sleep(BETWEEN_SECONDS)  # all at once they are many requests, not slow ones
            while slow:
                assert time.monotonic() < deadline, f"{len(slow)} connections are open"
                closed, _, _ = select.select(slow, slow[:0], slow[:0], PAUSE_SECONDS)
                slow = [each for each in slow if each not in closed or not is_closed(each)]
                for each in slow:
                    with suppress(ConnectionError):
                        each.sendall(part)

    neighbour.beside(drip)
    assert descriptors(texts.process.pid) <= before + SPARE_DESCRIPTORS


def test_many_connections_with_many_requests_leave_nothing_behind(texts: Server, neighbour: Neighbour) -> None:
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    need(hard >= CONNECTIONS + 500, f"needs {CONNECTIONS} open files")
    resource.setrlimit(resource.RLIMIT_NOFILE, (max(soft, CONNECTIONS + 500), hard))
    before, watch = descriptors(texts.process.pid), Watch()
    try:
        with peak_memory(texts.process.pid, watch):
            request_everywhere(texts)
        rest = memory(texts.process.pid, "VmRSS")
        request_everywhere(texts)
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
    assert watch.memory_bytes < MAX_MEMORY_BYTES
    assert memory(texts.process.pid, "VmRSS") - rest < LEAK_BYTES
    neighbour.beside(lambda: None)
    assert descriptors(texts.process.pid) <= before + SPARE_DESCRIPTORS


def request_everywhere(server: Server) -> None:
    """Open CONNECTIONS, and send REQUESTS over each, all at the same time."""
    address = urlsplit(server.url)

    async def request() -> None:
        reader, writer = await asyncio.open_connection(address.hostname, address.port)
        for _ in range(REQUESTS):
            writer.write(b"GET /health HTTP/1.1\r\nHost: localhost\r\n\r\n")
            answer = await reader.readuntil(b"}")
            assert answer.startswith(b"HTTP/1.1 200 "), answer
        writer.close()
        await writer.wait_closed()

    async def request_all() -> None:
        await asyncio.gather(*(request() for _ in range(CONNECTIONS)))

    asyncio.run(request_all())


def connect(server: Server) -> socket.socket:
    """Return a connection to the server."""
    address = urlsplit(server.url)
    return socket.create_connection((address.hostname or "", address.port or 0), timeout=60)


def is_closed(connection: socket.socket) -> bool:
    """Read what has arrived, and return whether the server has closed the connection."""
    try:
        return not connection.recv(1 << 16)
    except ConnectionError:
        return True
