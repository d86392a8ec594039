"""Downloads of jobs, and the hosts that they must not reach."""

import asyncio
import io
import json
import socket
import threading
import time
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from ipaddress import IPv4Address, IPv6Address, ip_network
from pathlib import Path
from typing import Any, ClassVar, NoReturn

import pytest
from hypothesis import given
from hypothesis import strategies as st

from my_project.errors import InvalidInputError
from my_project.jobs.addresses import is_public, is_web_port, parse_address
from my_project.jobs.download import PublicHostsBackend, download, validate_source
from my_project.settings import Settings

PRIVATE = [ip_network(each) for each in ("0.0.0.0/8", "10.0.0.0/8", "127.0.0.0/8", "169.254.0.0/16", "192.168.0.0/16")]
CONTENT = b"a line\n" * 1000
ATTACKS: dict[str, list[Any]] = json.loads(Path(__file__).parents[1].joinpath("data/addresses.json").read_text())


class Origin(BaseHTTPRequestHandler):
    """A server inside the network; `paths` holds the requested paths."""

    paths: ClassVar[list[str]]

    def do_GET(self) -> None:
        """Answer as the path says."""
        self.paths.append(self.path)
        status = int(self.path[1:]) if self.path[1:].isdigit() else 302 if self.path.startswith("/to") else 200
        self.send_response(status)
        if status == 302:
            self.send_header("Location", self.path.partition("?")[2] or self.path)
        self.end_headers()
        if self.path == "/slow":
            for _ in range(100):
                self.wfile.write(b".")
                time.sleep(0.02)
        elif status == 200:
            self.wfile.write(CONTENT)

    def log_message(self, format: str, *arguments: object) -> None:
        """Log nothing."""


@pytest.fixture
def origin() -> Iterator[str]:
    """Return the address of the server."""
    Origin.paths = []
    with ThreadingHTTPServer(("127.0.0.1", 0), Origin) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield f"http://localhost:{server.server_port}"
        server.shutdown()
        thread.join()


def downloaded(address: str, **settings: object) -> bytes:
    """Return the content of an address."""
    stream = io.BytesIO()
    download(address, stream, Settings.model_validate({"download_hosts": "localhost"} | settings), lambda _: None)
    return stream.getvalue()


def test_a_file_is_downloaded_also_after_a_redirect(origin: str) -> None:
    assert downloaded(f"{origin}/file") == CONTENT
    assert downloaded(f"{origin}/to?/file") == CONTENT
    assert Origin.paths == ["/file", "/to?/file", "/file"]


@pytest.mark.parametrize(
    "host",
    ["localhost", "127.0.0.1", "127.1", "2130706433", "0x7f000001", "0.0.0.0", "[::1]", "[::ffff:127.0.0.1]"],
)
def test_hosts_inside_the_network_are_not_reached(origin: str, host: str) -> None:
    refusal = r"not a public host|there is no host|not an http or https"
    with pytest.raises((InvalidInputError, ConnectionError), match=refusal):
        downloaded(origin.replace("localhost", host) + "/file", download_hosts="")
    assert Origin.paths == []


def test_a_redirect_into_the_network_is_refused(origin: str) -> None:
    inside = origin.replace("localhost", "127.0.0.1")
    with pytest.raises(InvalidInputError, match=r"127\.0\.0\.1 is not a public host"):
        downloaded(f"{origin}/to?{inside}/secret")
    with pytest.raises(InvalidInputError, match="not an http or https address"):
        downloaded(f"{origin}/to?file:///etc/passwd")
    with pytest.raises(InvalidInputError, match="too many redirects"):
        downloaded(f"{origin}/to")
    assert "/secret" not in Origin.paths


@given(st.sampled_from(PRIVATE).flatmap(lambda network: st.ip_addresses(v=4, network=str(network))))
def test_a_private_address_is_not_public_in_any_notation(inside: IPv4Address) -> None:
    number = int(inside)
    for written in (
        inside,
        IPv6Address(0xFFFF << 32 | number),
        IPv6Address(0x64FF9B << 96 | number),
        IPv6Address(0x2002 << 112 | number << 80),
    ):
        assert not is_public(str(written)), written


@pytest.mark.parametrize("address", ATTACKS["public"])
def test_an_address_of_the_internet_is_public(address: str) -> None:
    assert is_public(address)


@pytest.mark.parametrize("address", ATTACKS["private"])
def test_a_special_address_is_not_public(address: str) -> None:
    assert not is_public(address)


@given(st.ip_addresses(v=6))
def test_a_public_address_is_global_unicast(address: IPv6Address) -> None:
    if is_public(str(address)) and address.exploded[:9] != "0064:ff9b":
        assert address.is_global and address.exploded[0] in "23"


@pytest.mark.parametrize(("address", "host", "port"), ATTACKS["web"])
def test_an_address_of_the_web_is_taken(address: str, host: str, port: int) -> None:
    validate_source(address)
    url = parse_address(address)
    assert (url.raw_host, url.port) == (host, port)


@pytest.fixture
def unreachable(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Forbid every connection, and return the names that were resolved."""
    resolved: list[str] = []

    async def resolve(_: object, host: str, port: int, **options: object) -> list[Any]:
        resolved.append(host)
        return socket.getaddrinfo(host, port, flags=socket.AI_NUMERICHOST)

    async def connect(*arguments: object, **options: object) -> NoReturn:
        pytest.fail(f"connects to {arguments}")

    monkeypatch.setattr(asyncio.BaseEventLoop, "getaddrinfo", resolve)
    monkeypatch.setattr("my_project.jobs.download.httpcore.AnyIOBackend.connect_tcp", connect)
    return resolved


@pytest.mark.parametrize("address", ATTACKS["malformed"])
def test_a_malformed_address_is_refused_at_once(address: str, unreachable: list[str]) -> None:
    with pytest.raises(InvalidInputError) as refused:
        validate_source(address)
    assert "\n" not in str(refused.value)
    with pytest.raises(InvalidInputError):
        downloaded(address, download_hosts="")
    assert unreachable == []


@pytest.mark.parametrize("address", [*ATTACKS["malformed"], *ATTACKS["lookalikes"]])
def test_a_redirect_to_a_malformed_address_is_refused(address: str) -> None:
    base = parse_address("http://example.org/a/b")
    try:
        url = parse_address(address, base)
    except InvalidInputError:
        return
    is_inside = url.raw_host == "example.org" and "://" not in address.partition("?")[0]
    assert is_inside or not is_public(url.raw_host or ""), url


@pytest.mark.parametrize("address", [each for each in ATTACKS["private"] if ":" not in each and each[-1].isdigit()])
def test_a_private_ipv4_address_is_refused_before_a_connection(address: str, unreachable: list[str]) -> None:
    with pytest.raises(InvalidInputError, match="is not a public host"):
        downloaded(f"http://{address}/", download_hosts="")


@pytest.mark.parametrize("address", [each for each in ATTACKS["private"] if ":" in each and "%" not in each])
def test_a_private_ipv6_address_is_refused_before_a_connection(address: str, unreachable: list[str]) -> None:
    with pytest.raises(InvalidInputError, match="is not a public host"):
        downloaded(f"http://[{address}]/", download_hosts="")


@pytest.mark.parametrize("address", ATTACKS["lookalikes"])
def test_an_address_in_other_digits_is_refused(address: str, unreachable: list[str]) -> None:
    with pytest.raises(InvalidInputError):
        downloaded(address, download_hosts="")


@pytest.mark.parametrize("address", [each for each in ATTACKS["private"] if each[-1].isdigit() or each == "::"])
def test_a_name_that_resolves_to_a_private_address_is_refused(address: str, monkeypatch: pytest.MonkeyPatch) -> None:
    async def resolve(*_: object, **options: object) -> list[Any]:
        return [(0, 0, 0, "", (each, 80)) for each in ("8.8.8.8", address)]

    async def connect(*_: object, **options: object) -> NoReturn:
        pytest.fail("connects")

    monkeypatch.setattr(asyncio.BaseEventLoop, "getaddrinfo", resolve)
    monkeypatch.setattr("my_project.jobs.download.httpcore.AnyIOBackend.connect_tcp", connect)
    with pytest.raises(InvalidInputError, match=r"rebind\.example is not a public host"):
        downloaded("http://rebind.example/a", download_hosts="")


def test_a_name_that_cannot_be_resolved_at_all_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    async def resolve(*_: object, **options: object) -> NoReturn:
        raise UnicodeError("label too long")

    monkeypatch.setattr(asyncio.BaseEventLoop, "getaddrinfo", resolve)
    with pytest.raises(InvalidInputError, match="is not a host"):
        asyncio.run(PublicHostsBackend().connect_tcp("a" * 70, 80))


@pytest.mark.parametrize("port", ATTACKS["ports"])
def test_a_port_of_another_protocol_is_refused(port: int, unreachable: list[str]) -> None:
    assert not is_web_port(port)
    with pytest.raises(InvalidInputError, match=f"8.8.8.8:{port} is not the port of a web server"):
        downloaded(f"http://8.8.8.8:{port}/", download_hosts="")
    assert unreachable == []


@pytest.mark.parametrize("port", [80, 443, 1024, 8000, 8080, 8443, 9000, 65535])
def test_a_port_of_the_web_is_taken(port: int) -> None:
    assert is_web_port(port)


@pytest.mark.parametrize(
    "source",
    [
        "file:///etc/passwd",
        "ftp://a/b",
        "s3://bucket/a",
        "http://",
        "http:///a",
        "http://user:password@a/b",
        "http://user@a/b",
        "http://a:99999/b",
        "http://a/\n",
        "http://a/" + "a" * 2000,
        "://a",
    ],
)
def test_an_invalid_address_is_refused_on_submission(source: str) -> None:
    with pytest.raises(InvalidInputError):
        validate_source(source)


@given(st.text(max_size=50))
def test_any_text_is_a_valid_source_or_refused_in_one_line(text: str) -> None:
    try:
        assert validate_source(text) == text
    except InvalidInputError as error:
        assert "\n" not in str(error)


def test_limits_of_size_and_time_hold(origin: str) -> None:
    with pytest.raises(InvalidInputError, match="larger than 10 bytes"):
        downloaded(f"{origin}/file", max_file_bytes=10)
    with pytest.raises(ConnectionError, match=r"longer than 0\.2 s"):
        downloaded(f"{origin}/slow", download_timeout_seconds=0.2)


def test_temporary_errors_differ_from_permanent_ones(origin: str) -> None:
    with pytest.raises(InvalidInputError, match="answers 404"):
        downloaded(f"{origin}/404")
    with pytest.raises(ConnectionError, match="answers 503"):
        downloaded(f"{origin}/503")
    with pytest.raises(ConnectionError, match="cannot be downloaded"):
        downloaded("http://localhost:1/file")
