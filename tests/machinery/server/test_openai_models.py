"""OpenAI's models routes, and the format of its errors."""

from typing import Any
from urllib.parse import quote

import pytest
from fastapi.testclient import TestClient

from my_project.errors import NotReadyError
from my_project.inference.engine import Engine
from my_project.server.routes.openai_models import router

assert router


def test_the_loaded_model_is_listed_and_found_by_its_name(client: TestClient) -> None:
    listed = client.get("/v1/models").json()
    assert listed["object"] == "list"
    [model] = listed["data"]
    assert model["id"] == client.get("/health").json()["model"]
    assert (model["object"], model["owned_by"]) == ("model", "my-project")
    assert model["created"] > 1.7e9
    assert client.get(f"/v1/models/{quote(model['id'], safe='')}").json() == model


def test_a_name_with_a_slash_is_found(client: TestClient, monkeypatch: pytest.MonkeyPatch) -> None:
    app: Any = client.app
    monkeypatch.setattr(app.state.engine.model, "name", "an-org/a-model")
    assert client.get("/v1/models/an-org/a-model").json()["id"] == "an-org/a-model"
    assert client.get("/v1/models/an-org%2Fa-model").json()["id"] == "an-org/a-model"


def test_another_model_is_not_found(client: TestClient) -> None:
    answer = client.get("/v1/models/gpt-4o")
    assert answer.status_code == 404
    error = answer.json()["error"]
    assert error.keys() == {"message", "type", "param", "code"}
    assert (error["type"], error["param"], error["code"]) == ("invalid_request_error", "model", "model_not_found")
    assert "gpt-4o" in error["message"] and client.get("/health").json()["model"] in error["message"]


def test_no_model_is_listed_before_it_is_loaded(client: TestClient, monkeypatch: pytest.MonkeyPatch) -> None:
    def not_loaded(engine: Engine) -> None:
        raise NotReadyError("the model is loading")

    monkeypatch.setattr(Engine, "_require_loaded", not_loaded)
    answer = client.get("/v1/models")
    assert answer.status_code == 503
    assert answer.headers["Retry-After"]
    expected = {"message": "the model is loading", "type": "server_error", "param": None, "code": None}
    assert answer.json() == {"error": expected}


@pytest.mark.parametrize("path", ["/v1", "/v1/nothing", "/v1/models/"])
def test_what_is_not_there_is_not_found(client: TestClient, path: str) -> None:
    assert client.get(path).status_code == 404


def test_every_refusal_has_the_fields_of_openai(client: TestClient) -> None:
    for answer in (client.get("/v1/nothing"), client.delete("/v1/models")):
        assert answer.json()["error"].keys() == {"message", "type", "param", "code"}
