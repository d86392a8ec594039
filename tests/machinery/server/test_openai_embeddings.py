"""OpenAI's embeddings route."""

import base64
import math
from array import array
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from fastapi.testclient import TestClient
from tokenizers import Tokenizer
from tokenizers.models import WordLevel
from tokenizers.pre_tokenizers import WhitespaceSplit

from my_project import components
from my_project.errors import ModelUnavailableError
from my_project.server.asgi import create
from my_project.server.routes.openai_embeddings import embeddings_router

assert embeddings_router is not None


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
    ("body", "parameter", "code"),
    [
        ({}, "input", "missing_required_parameter"),
        ({"input": []}, "input", "invalid_value"),
        ({"input": [1, 2]}, "input", "unsupported_value"),
        ({"input": [[1, 2], [3]]}, "input", "unsupported_value"),
        ({"input": [[1, 2], "rain"]}, "input.0", "invalid_value"),
        ({"input": [True]}, "input.0", "invalid_value"),
        ({"input": [[]]}, "input.0", "invalid_value"),
        ({"input": "rain", "dimensions": 0}, "dimensions", "invalid_value"),
        ({"input": "rain", "dimensions": 1000}, "dimensions", None),
        ({"input": "rain", "encoding_format": "int8"}, "encoding_format", "invalid_value"),
        ({"input": "rain", "input_type": "query"}, "input_type", "unknown_parameter"),
    ],
)
def test_bad_input_is_refused_in_openai_shape(
    client: TestClient, body: dict[str, object], parameter: str | None, code: str | None
) -> None:
    answer = client.post("/v1/embeddings", json=body)
    assert answer.status_code == 422
    error = answer.json()["error"]
    assert error["message"]
    assert (error["type"], error["param"], error["code"]) == ("invalid_request_error", parameter, code)


def test_a_refusal_of_token_ids_names_both_switches(client: TestClient) -> None:
    message = client.post("/v1/embeddings", json={"input": [[1, 2]]}).json()["error"]["message"]
    assert "check_embedding_ctx_length=False" in message
    assert "MY_PROJECT_CLIENT_TOKENIZER" in message


def test_fields_about_accounts_and_null_change_nothing(client: TestClient) -> None:
    plain = client.post("/v1/embeddings", json={"input": "rain"}).json()
    more = {"user": "me", "dimensions": None, "encoding_format": None, "metadata": {"a": "b"}, "model": None}
    assert client.post("/v1/embeddings", json={"input": "rain"} | more).json() == plain


def test_fewer_dimensions_are_the_first_ones_at_length_1(client: TestClient) -> None:
    [whole] = client.post("/v1/embeddings", json={"input": "rain"}).json()["data"]
    [cut] = client.post("/v1/embeddings", json={"input": "rain", "dimensions": 8}).json()["data"]
    length = math.hypot(*whole["embedding"][:8]) / math.hypot(*cut["embedding"])
    assert cut["embedding"] == pytest.approx([each / length for each in whole["embedding"][:8]], abs=1e-6)
    width = len(whole["embedding"])
    [same] = client.post("/v1/embeddings", json={"input": "rain", "dimensions": width}).json()["data"]
    assert same == whole


@pytest.fixture
def foreign(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[TestClient]:
    """Yield a client of an API that knows the vocabulary of its clients, which is not the model's."""
    words = {"dog": 0, "happy": 1, "a": 2, "rain": 3, "the": 4, "[PAD]": 5}
    tokenizer = Tokenizer(WordLevel(words, unk_token="[PAD]"))
    tokenizer.pre_tokenizer = WhitespaceSplit()
    tokenizer.add_special_tokens(["[PAD]"])
    tokenizer.save(str(tmp_path / "tokenizer.json"))
    monkeypatch.setenv("MY_PROJECT_CLIENT_TOKENIZER", str(tmp_path / "tokenizer.json"))
    components.get_settings.cache_clear()
    app = create()
    with TestClient(app) as client:
        app.state.engine.loading.result(timeout=60)
        yield client


def test_token_ids_are_decoded_with_the_vocabulary_of_the_client(foreign: TestClient) -> None:
    def vectors(value: Any) -> list[Any]:
        answer = foreign.post("/v1/embeddings", json={"input": value})
        assert answer.status_code == 200, answer.text
        return [each["embedding"] for each in answer.json()["data"]]

    assert vectors([2, 1, 0]) == vectors("a happy dog")
    assert vectors([[2, 1, 0], [4, 3, 5]]) == vectors(["a happy dog", "the rain"])


@pytest.mark.parametrize(
    ("ids", "reason"), [([6], "no token 6"), ([-1], "no token -1"), ([2**40], "no token"), ([5], "at least 1")]
)
def test_token_ids_that_the_vocabulary_lacks_are_refused(foreign: TestClient, ids: list[int], reason: str) -> None:
    answer = foreign.post("/v1/embeddings", json={"input": ids})
    assert answer.status_code == 422
    error = answer.json()["error"]
    assert error["param"] == "input"
    assert reason in error["message"]


def test_a_file_that_is_no_tokenizer_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "tokenizer.json").write_text("{}")
    monkeypatch.setenv("MY_PROJECT_CLIENT_TOKENIZER", str(tmp_path / "tokenizer.json"))
    components.get_settings.cache_clear()
    with pytest.raises(ModelUnavailableError, match=r"MY_PROJECT_CLIENT_TOKENIZER: .* is no tokenizer\.json"):
        create()
