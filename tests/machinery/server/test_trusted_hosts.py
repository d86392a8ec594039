"""Protection from DNS rebinding."""

from typing import Any

import pytest
from fastapi.testclient import TestClient
from machinery.server.test_app import components as parts

from my_project.base_settings import ServiceSettings
from my_project.server.app import create_app
from my_project.server.middleware.trusted_hosts import is_loopback

LOCAL = [
    "localhost",
    "LOCALHOST:8000",
    "app.localhost:8000",
    "127.0.0.1",
    "127.0.0.1:8000",
    "10.1.2.3:8000",
    "[::1]:8000",
    "[::ffff:127.0.0.1]:8000",
    "testserver",
    "api:8000",
    "localhost.",
]
FOREIGN = [
    "evil.example",
    "evil.example:8000",
    "localhost.evil.example",
    "127.0.0.1.evil.example",
    "evil.example.",
    "localhost@evil.example",
    "127.0.0.1:8000@evil.example",
    "a.example/localhost",
    "[::1",
    "[evil.example]",
    "a.example:port",
    "a b.example",
    "",
    "127.1.evil.localhost.example",
    "xn--localhost-.example",
]


def status(named: str, **settings: Any) -> int:
    """Return the status of a request that names a host."""
    app = create_app(ServiceSettings(**settings), parts())
    headers = [(b"host", named.encode())]
    return TestClient(app).get("/no/such", headers=headers).status_code


@pytest.mark.parametrize("host", LOCAL)
def test_local_names_and_addresses_are_always_trusted(host: str) -> None:
    assert status(host) == status(host, trusted_hosts="a.example") == 404


@pytest.mark.parametrize("host", FOREIGN)
def test_a_server_on_this_machine_refuses_foreign_names(host: str) -> None:
    assert status(host, host="127.0.0.1") == status(host, host="::1") == status(host, host="localhost") == 421
    assert status(host, host="0.0.0.0", trusted_hosts="b.example") == 421


@pytest.mark.parametrize("host", ["evil.example", "api.example:443", "", "odd host"])
def test_a_server_on_other_addresses_leaves_names_to_its_proxy(host: str) -> None:
    assert status(host, host="0.0.0.0") == status(host, trusted_hosts="b.example *") == 404


@pytest.mark.parametrize(
    ("host", "trusted"),
    [
        ("a.example", True),
        ("A.Example:8443", True),
        ("b.a.example", False),
        ("shop.example", False),
        ("eu.shop.example", True),
        ("x.eu.shop.example", True),
        ("evilshop.example", False),
    ],
)
def test_names_and_their_subdomains_are_trusted(host: str, trusted: bool) -> None:
    assert status(host, trusted_hosts="a.example *.shop.example") == (404 if trusted else 421)


def test_the_answer_says_what_to_do_and_which_format_it_has() -> None:
    client = TestClient(create_app(ServiceSettings(), parts()), headers={"Host": "evil.example"})
    message = "this host name is not trusted: add it to MY_PROJECT_TRUSTED_HOSTS"
    assert client.get("/health").json() == {"error": message}
    assert client.get("/v1/models").json()["error"]["message"] == message


@pytest.mark.parametrize("names", ["a.example, b.example", "a.example,b.example", "a.example b.example localhost"])
def test_names_stand_beside_each_other_as_in_the_addresses_of_a_proxy(names: str) -> None:
    assert status("b.example", trusted_hosts=names) == 404
    assert status("c.example", trusted_hosts=names) == 421


def test_two_hosts_are_none() -> None:
    client = TestClient(create_app(ServiceSettings(), parts()))
    headers = [(b"host", b"localhost"), (b"host", b"localhost")]
    assert client.get("/health", headers=headers).status_code == 421


@pytest.mark.parametrize("wrong", ["*.", "a.*.example", "http://a.example", "a.example;b.example", "*example", "a/b"])
def test_a_pattern_that_matches_nothing_is_refused(wrong: str) -> None:
    with pytest.raises(ValueError, match="trusted_hosts"):
        ServiceSettings(trusted_hosts=wrong)


@pytest.mark.parametrize(
    ("host", "loopback"),
    [
        ("127.0.0.1", True),
        ("127.8.8.8", True),
        ("::1", True),
        ("::ffff:127.0.0.1", True),
        ("localhost", True),
        ("0.0.0.0", False),
        ("::", False),
        ("10.0.0.1", False),
        ("example.org", False),
        ("", False),
    ],
)
def test_only_loopback_addresses_are_this_machines(host: str, loopback: bool) -> None:
    assert is_loopback(host) is loopback
