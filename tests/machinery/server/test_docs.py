"""The interactive documentation."""

import hashlib
import re
from pathlib import Path
from typing import Any

import pytest
from fastapi.testclient import TestClient
from machinery.server.test_app import components as parts

from my_project.base_settings import ServiceSettings
from my_project.server.app import create_app

PAGES = ["/docs", "/redoc"]


def client_of(**settings: Any) -> TestClient:
    """Return a client of an API."""
    return TestClient(create_app(ServiceSettings(**settings), parts()))


@pytest.fixture
def file(tmp_path: Path) -> Path:
    """Return a file with one key."""
    path = tmp_path / "api_keys"
    path.write_text(f"laptop sha256:{hashlib.sha256(b'sk-a-key').hexdigest()}\n")
    return path


@pytest.mark.parametrize("page", PAGES)
def test_a_page_loads_nothing_from_other_servers(page: str) -> None:
    client = client_of()
    html = client.get(page).text
    loaded = re.findall(r"""(?:src|href)=["']([^"']+)["']""", html)
    assert len(loaded) >= 2
    for address in [*loaded, *re.findall(r"(?:url: |spec-url=)[\"']([^\"']+)", html)]:
        assert address.startswith("/") and not address.startswith("//")
        assert client.get(address).status_code == 200
    assert "http" not in html.replace("http-equiv", "")


def test_a_setting_switches_them_off() -> None:
    client = client_of(docs=False)
    app: Any = client.app
    for path in [*PAGES, "/openapi.json", "/docs/assets/swagger-ui.css"]:
        assert client.get(path).status_code == 404
    assert app.openapi_url is None


def test_a_browser_sends_a_key_as_the_password_to_pages_alone(file: Path) -> None:
    client = client_of(api_keys_file=file)
    for path in [*PAGES, "/openapi.json", "/docs/assets/swagger-ui.css", "/docs/assets/swagger-ui-bundle.js"]:
        refused = client.get(path)
        assert (refused.status_code, refused.headers["WWW-Authenticate"][:6]) == (401, "Basic ")
        assert client.get(path, auth=("", "sk-a-key")).status_code == 200
        assert client.get(path, auth=("anybody", "sk-a-key")).status_code == 200
        assert client.get(path, headers={"Authorization": "Bearer sk-a-key"}).status_code == 200
        for wrong in ("Basic sk-a-key", "Basic !", "Basic", "Basic c2stYS1rZXk=", "Bearer OnNrLWEta2V5"):
            assert client.get(path, headers={"Authorization": wrong}).status_code == 401
    elsewhere = client.post("/predict", json={}, auth=("", "sk-a-key"))
    assert (elsewhere.status_code, elsewhere.headers["WWW-Authenticate"][:6]) == (401, "Bearer")


def test_assets_are_those_files_and_no_others(file: Path) -> None:
    client = client_of()
    for path in ("/docs/assets/", "/docs/assets/../__init__.py", "/docs/assets/%2e%2e/__init__.py", "/docs/assets/a"):
        assert client.get(path).status_code == 404


def test_the_schema_says_which_routes_need_a_key(file: Path) -> None:
    schema = client_of(api_keys_file=file).get("/openapi.json", headers={"Authorization": "Bearer sk-a-key"}).json()
    assert schema["security"] == [{"key": []}]
    assert schema["components"]["securitySchemes"] == {"key": {"type": "http", "scheme": "bearer"}}
    assert schema["paths"]["/health"]["get"]["security"] == schema["paths"]["/ready"]["get"]["security"] == []
    assert "security" not in schema["paths"]["/predict"]["post"]
    assert "security" not in schema["paths"]["/metrics"]["get"]
    assert "security" not in client_of().get("/openapi.json").json()
