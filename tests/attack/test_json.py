"""Bodies that are hardly JSON, and requests of every kind that the description allows or forbids, harm nobody."""

from tempfile import TemporaryDirectory
from typing import Any

import httpx
import pytest

from tests.attack.conftest import KEY, listed
from tests.attack.neighbour import Neighbour
from tests.installed import Server
from tests.program import run

pytestmark = pytest.mark.project

SCHEMATHESIS = "schemathesis==4.32.5"
"""Generates requests from the OpenAPI description, valid and invalid ones."""


def body(entry: dict[str, Any]) -> bytes:
    """Return the body that an entry of `json.yml` describes."""
    times: int = entry.get("times", 1)
    if "bytes" in entry:
        return bytes.fromhex(entry["bytes"]) * times
    if "numbered" in entry:
        text = "".join(entry["numbered"] % number for number in range(times))
    else:
        text = entry["text"] * times
    return f"{entry.get('begin', '')}{text}{entry.get('end', '')}".encode()


def post(server: Server, content: bytes) -> httpx.Response:
    """Return the response to a body with the content type of JSON."""
    return httpx.post(
        f"{server.url}/predict", content=content, headers={"content-type": "application/json"}, timeout=60
    )


@pytest.mark.parametrize("entry", listed("json.yml"))
def test_a_body_that_is_hardly_json_is_refused_in_one_line(texts: Server, entry: dict[str, Any]) -> None:
    answer = post(texts, body(entry))
    assert answer.status_code == entry["status"], answer.text
    reason = answer.json()["error"]
    assert reason.startswith("not JSON: ") == (entry["status"] == 400), reason
    assert "\n" not in reason and len(answer.content) < 1000


def test_no_body_holds_up_another_client(texts: Server, neighbour: Neighbour) -> None:
    bodies = [body(each.values[0]) for each in listed("json.yml")]
    neighbour.beside(lambda: [post(texts, each) for each in bodies])


def send_of_every_kind(server: Server, examples: int, *options: str) -> None:
    """Send so many requests of each kind to each route, as the description of the API has them."""
    command = ["uvx", f"--from={SCHEMATHESIS}", "schemathesis", "run", f"{server.url}/openapi.json"]
    command += [f"--max-examples={examples}", "--seed=1", "--no-color", *options]
    with TemporaryDirectory() as folder:  # for what it keeps of a run
        done = run(command, cwd=folder, timeout=600)
    assert done.returncode == 0, done.stdout[-4000:] + done.stderr[-2000:]
    assert httpx.get(f"{server.url}/ready").status_code == 200


def test_no_request_is_a_server_error(texts: Server, neighbour: Neighbour) -> None:
    send_of_every_kind(texts, 50, "--checks=not_a_server_error")
    neighbour.beside(lambda: None)


def test_no_request_with_a_key_is_a_server_error_and_none_without_is_answered(guarded: Server) -> None:
    options = ["--checks=not_a_server_error,ignored_auth", f"--header=Authorization: Bearer {KEY}"]
    send_of_every_kind(guarded, 10, *options)
