"""Downloads of jobs, and the hosts that they must not reach."""

import io
import threading
import time
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from ipaddress import IPv4Address, IPv6Address, ip_network

import pytest
from hypothesis import given
from hypothesis import strategies as st

from my_project.errors import InvalidInputError
from my_project.jobs.download import download, is_public, validate_source
from my_project.settings import Settings

PRIVATE = [ip_network(each) for each in ("0.0.0.0/8", "10.0.0.0/8", "127.0.0.0/8", "169.254.0.0/16", "192.168.0.0/16")]
CONTENT = b"a line\n" * 1000


class Origin(BaseHTTPRequestHandler):
    """A server inside the network; `paths` holds the requested paths."""

    paths: list[str]

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
    with pytest.raises((InvalidInputError, ConnectionError), match=r"not a public host|there is no host"):
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


@pytest.mark.parametrize("address", ["8.8.8.8", "2606:4700::1111", "64:ff9b::808:808"])
def test_an_address_of_the_internet_is_public(address: str) -> None:
    assert is_public(address)


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
