"""The demo page: off by default, complete, and nothing of a foreign server."""

import re
from collections.abc import Iterator
from typing import Any

import pytest
from fastapi.testclient import TestClient
from machinery.server.test_app import components as parts
from machinery.server.test_app import wait
from machinery.server.test_authentication import KEY, bearer, line
from pydantic import ValidationError

from my_project.base_settings import ServiceSettings
from my_project.server.app import create_app
from my_project.server.demo.page import FILES, PATHS


@pytest.fixture
def guarded() -> Iterator[TestClient]:
    """Yield a client of an API with a demo page and keys."""
    with TestClient(create_app(ServiceSettings(demo=True, api_keys=line("laptop", KEY)), parts())) as client:  # type: ignore[arg-type]
        wait(client)
        yield client


def test_the_page_is_off_by_default() -> None:
    client = TestClient(create_app(ServiceSettings(), parts()))
    assert client.get("/").status_code == 405
    assert client.get("/demo/task.js").status_code == 404


def test_the_page_needs_no_key_but_predictions_do(guarded: TestClient) -> None:
    for path in PATHS:
        assert guarded.get(path).status_code == guarded.head(path).status_code == 200
    assert guarded.post("/", json={"inputs": 2}).status_code == 401
    assert guarded.post("/demo/task.js").status_code == 401
    assert guarded.get("/demo/page.html").status_code == 401
    assert guarded.post("/", json={"inputs": 2}, headers=bearer()).json() == 4


def test_every_file_of_the_page_is_there_and_of_this_server(guarded: TestClient) -> None:
    page = guarded.get("/")
    assert page.headers["content-type"].startswith("text/html")
    named = set(re.findall(r'(?:href|src)="([^"]+)"', page.text)) - {"docs", "data:,"}
    named |= {f"demo/{name}" for name in re.findall(r'from "\./([^"]+)"', guarded.get("/demo/task.js").text)}
    assert {f"/{name}" for name in named} | {"/"} == PATHS
    for path in PATHS:
        content = guarded.get(path).text
        assert not re.search(r"https?://|//[a-z]+\.[a-z]", content.replace("// ", "")), path
        assert not re.search(r"<script(?! type=\"module\" src=)|<style| on\w+=|innerHTML|localStorage", content), path


def test_a_browser_may_load_nothing_else_and_frame_it_nowhere(guarded: TestClient) -> None:
    for path in PATHS:
        headers = guarded.get(path).headers
        directives = dict(each.strip().split(" ", 1) for each in headers["content-security-policy"].split(";"))
        assert directives["default-src"] == directives["frame-ancestors"] == "'none'"
        assert directives["script-src"] == directives["style-src"] == directives["connect-src"] == "'self'"
        assert headers["x-content-type-options"] == "nosniff"


def test_a_site_may_frame_it_if_the_setting_says_so() -> None:
    settings: dict[str, Any] = {"demo": True, "demo_frames": "https://huggingface.co"}
    policy = TestClient(create_app(ServiceSettings(**settings), parts())).get("/").headers["content-security-policy"]
    assert policy.endswith("frame-ancestors https://huggingface.co")


@pytest.mark.parametrize("frames", ["*; script-src *", "http://a.example", "https://a.example\nX: y", "https://a/b"])
def test_a_site_that_is_none_is_refused(frames: str) -> None:
    with pytest.raises(ValidationError, match="demo_frames"):
        ServiceSettings(demo_frames=frames)


def test_the_link_to_the_documentation_is_there_if_that_is() -> None:
    for docs in (True, False):
        page = TestClient(create_app(ServiceSettings(demo=True, docs=docs), parts())).get("/")
        assert ('href="docs"' in page.text) == docs
    assert len(FILES) == 4
