"""Malformed requests get an error and do not harm the server."""

import json
import socket
from collections.abc import Iterator
from urllib.parse import urlsplit

import httpx
import pytest

from tests.program import run
from tests.project.conftest import Make, Project, Server
from tests.project.test_clients import tiny_model

pytestmark = pytest.mark.project

SCHEMATHESIS = "schemathesis==4.32.5"
"""Generates requests from the OpenAPI description, valid and invalid ones."""


@pytest.fixture(scope="module")
def project(make_project: Make) -> Project:
    """Return the default project."""
    return make_project(package_manager="uv", hf_task="feature-extraction")


@pytest.fixture(scope="module")
def settings(project: Project, tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """Return the settings of a tiny model."""
    return tiny_model(project, tmp_path_factory.mktemp("model"))


@pytest.fixture(scope="module")
def server(project: Project, settings: dict[str, str]) -> Iterator[Server]:
    """Yield the API with the tiny model."""
    with project.served(**settings) as server:
        yield server


def post(server: Server, body: str | bytes) -> httpx.Response:
    """Return the response to a body with the content type of JSON."""
    return httpx.post(f"{server.url}/predict", content=body, headers={"content-type": "application/json"}, timeout=60)


def test_no_request_is_a_server_error(project: Project, server: Server) -> None:
    command = ["uvx", f"--from={SCHEMATHESIS}", "schemathesis", "run", f"{server.url}/openapi.json"]
    options = ["--checks=not_a_server_error", "--max-examples=50", "--seed=1", "--no-color"]
    done = run([*command, *options], cwd=project.path, env=project.environment, timeout=600)
    assert done.returncode == 0, done.stdout[-4000:] + done.stderr[-2000:]
    assert httpx.get(f"{server.url}/ready").status_code == 200


@pytest.mark.parametrize(
    ("body", "status"),
    [
        ('{"inputs": NaN}', 422),
        ('{"inputs": "a dog", "parameters": {"dimensions": NaN}}', 422),
        ('{"inputs": "a dog", "parameters": {"dimensions": 1e400}}', 422),
        ('{"inputs": "a dog", "parameters": {"dimensions": ' + "9" * 5000 + "}}", 400),
        ("[" * 100_000, 400),
        ('{"inputs":' * 50_000, 400),
        ('{"inputs": "\\ud800"}', 422),
        ("\x00", 400),
        (b'{"inputs": "\xff"}', 400),
        ("", 422),
    ],
    ids=[
        "nan",
        "nan-parameter",
        "infinity",
        "long-number",
        "lists",
        "objects",
        "surrogate",
        "nul",
        "not-utf-8",
        "nothing",
    ],
)
def test_json_that_is_hardly_json_is_refused(server: Server, body: str | bytes, status: int) -> None:
    answer = post(server, body)
    assert answer.status_code == status, answer.text
    assert answer.json()["error"].startswith("not JSON: ") == (status == 400)
    assert "\n" not in answer.json()["error"]
    assert len(answer.content) < 1000
    assert post(server, '{"inputs": "a happy dog"}').status_code == 200


@pytest.mark.parametrize("sent", ["", '{"inputs": "a'], ids=["headers", "half"])
def test_clients_that_stop_in_the_middle_hold_up_nobody(server: Server, sent: str) -> None:
    url = urlsplit(server.url)
    silent = [socket.create_connection((url.hostname, url.port)) for _ in range(50)]
    head = "POST /predict HTTP/1.1\r\nHost: a\r\nContent-Type: application/json\r\nContent-Length: 1000\r\n\r\n"
    for each in silent:
        each.sendall((head + sent).encode())
    assert post(server, json.dumps({"inputs": ["a happy dog"] * 8})).status_code == 200
    for each in silent:
        each.close()
    assert httpx.get(f"{server.url}/ready").status_code == 200
    assert post(server, '{"inputs": "a happy dog"}').status_code == 200
