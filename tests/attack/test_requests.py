"""Requests that are no proper HTTP, or have endless parts, are refused and harm nobody."""

import re
import socket
from contextlib import closing, suppress
from typing import Any
from urllib.parse import urlsplit

import pytest

from tests.attack.conftest import listed
from tests.attack.neighbour import Neighbour
from tests.installed import Server

pytestmark = pytest.mark.project

BUFFER_BYTES = 1 << 20
"""Size of what is sent at once."""


def exchange(server: Server, begin: bytes, text: bytes = b"", times: int = 0, end: bytes = b"") -> bytes:
    """Return what the server answers to a request until it closes the connection; `text` is sent several times."""
    address = urlsplit(server.url)
    at_once = max(1, min(times, BUFFER_BYTES // max(1, len(text))))
    with closing(socket.create_connection((address.hostname or "", address.port or 0), timeout=60)) as connection:
        with suppress(ConnectionError):
            connection.sendall(begin)
            for _ in range(times // at_once):
                connection.sendall(text * at_once)
            connection.sendall(text * (times % at_once) + end)
        received = b""
        with suppress(ConnectionError):
            while part := connection.recv(BUFFER_BYTES):
                received += part
    return received


def statuses(answer: bytes) -> list[int]:
    """Return the status of each response."""
    return [int(each) for each in re.findall(rb"HTTP/1\.1 (\d{3}) ", answer)]


def sent(entry: dict[str, Any]) -> dict[str, Any]:
    """Return the arguments of `exchange` that an entry of `heads.yml` describes."""
    texts = {name: entry.get(name, "").encode() for name in ("begin", "text", "end")}
    return texts | {"times": entry["times"]}


@pytest.mark.parametrize("entry", listed("smuggling.yml"))
def test_a_request_with_two_ends_hides_no_other(texts: Server, entry: dict[str, Any]) -> None:
    assert statuses(exchange(texts, entry["request"].encode("latin-1"))) == [entry["status"]]


@pytest.mark.parametrize("entry", listed("heads.yml"))
def test_large_heads_are_refused(texts: Server, entry: dict[str, Any]) -> None:
    assert statuses(exchange(texts, **sent(entry))) == [entry["status"]]


def test_no_head_holds_up_another_client(texts: Server, neighbour: Neighbour) -> None:
    heads = [sent(each.values[0]) for each in listed("heads.yml")]
    watch = neighbour.beside(lambda: [exchange(texts, **each) for each in heads])
    assert watch.memory_bytes < 50_000_000
