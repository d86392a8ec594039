"""Bodies that are hardly JSON, and requests of every kind that the description allows or forbids, harm nobody."""

from typing import Any

import httpx
import pytest

from tests.attack.conftest import listed
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


def test_no_request_is_a_server_error(texts: Server, neighbour: Neighbour) -> None:
    command = ["uvx", f"--from={SCHEMATHESIS}", "schemathesis", "run", f"{texts.url}/openapi.json"]
    options = ["--checks=not_a_server_error", "--max-examples=50", "--seed=1", "--no-color"]
    done = run([*command, *options], timeout=600)
    assert done.returncode == 0, done.stdout[-4000:] + done.stderr[-2000:]
    assert httpx.get(f"{texts.url}/ready").status_code == 200
    neighbour.beside(lambda: None)
