"""OpenAI's embeddings route."""

import base64
from array import array

import pytest
from fastapi.testclient import TestClient

from my_project.server.routes.openai_embeddings import embeddings_router

assert embeddings_router


def test_embeddings_are_those_of_predict(client: TestClient) -> None:
    texts = ["a happy dog", "the rain"]
    answer = client.post("/v1/embeddings", json={"model": "any", "input": texts}).json()
    vectors = [each["embedding"] for each in answer["data"]]
    assert vectors == client.post("/predict", json={"inputs": texts}).json()
    assert answer["usage"]["prompt_tokens"] == 9


def test_embeddings_in_base64(client: TestClient) -> None:
    body = {"model": "any", "input": "a happy dog"}
    [plain] = client.post("/v1/embeddings", json=body).json()["data"]
    [coded] = client.post("/v1/embeddings", json=body | {"encoding_format": "base64"}).json()["data"]
    assert array("f", base64.b64decode(coded["embedding"])).tolist() == pytest.approx(plain["embedding"], abs=1e-6)


@pytest.mark.parametrize(
    ("body", "status"),
    [({}, 422), ({"input": []}, 422), ({"input": [[1, 2]]}, 422), ({"input": "rain", "dimensions": 1000}, 422)],
)
def test_bad_input_is_refused_in_openai_shape(client: TestClient, body: dict[str, object], status: int) -> None:
    answer = client.post("/v1/embeddings", json=body)
    assert answer.status_code == status
    assert answer.json()["error"]["type"] == "invalid_request_error"
