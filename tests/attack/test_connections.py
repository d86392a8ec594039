"""Connections that an attacker opens harm nobody."""

import socket
from contextlib import ExitStack
from urllib.parse import urlsplit

import pytest

from tests.attack.neighbour import Neighbour
from tests.installed import Server

pytestmark = pytest.mark.project

HEAD = b"POST /predict HTTP/1.1\r\nHost: a\r\nContent-Type: application/json\r\nContent-Length: 1000\r\n\r\n"


@pytest.mark.parametrize("sent", [b"", HEAD[:20], HEAD, HEAD + b'{"inputs": "a'], ids=["none", "head", "body", "half"])
def test_clients_that_stop_in_the_middle_hold_up_nobody(texts: Server, neighbour: Neighbour, sent: bytes) -> None:
    address = urlsplit(texts.url)

    def stop_in_the_middle() -> None:
        for _ in range(50):
            silent = connections.enter_context(socket.create_connection((address.hostname or "", address.port or 0)))
            silent.sendall(sent)

    with ExitStack() as connections:
        neighbour.beside(stop_in_the_middle)
