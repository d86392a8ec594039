"""The rerank routes, in the formats of text-embeddings-inference and of Cohere and Jina."""

from typing import Any

import pytest
from fastapi.testclient import TestClient

from my_project import components
from my_project.server.routes.rerank import rerank_router

assert rerank_router

QUERY = "a dog"
TEXTS = ["paris", "a happy dog", "the rain in paris and a dog"]


def scores_of(client: TestClient, texts: list[str], **parameters: Any) -> list[float]:
    """Return the scores of `/predict`."""
    inputs = [{"query": QUERY, "text": text} for text in texts]
    scores: list[float] = client.post("/predict", json={"inputs": inputs, "parameters": parameters}).json()
    return scores


@pytest.mark.parametrize("path", ["/rerank", "/v1/rerank", "/v2/rerank"])
def test_texts_are_ranked_by_the_scores_of_predict(client: TestClient, path: str) -> None:
    answer = client.post(path, json={"query": QUERY, "texts": TEXTS})
    assert answer.status_code == 200, answer.text
    scores = scores_of(client, TEXTS)
    assert [each["score"] for each in answer.json()] == pytest.approx(sorted(scores, reverse=True), abs=1e-6)
    assert {each["index"]: each["score"] for each in answer.json()} == pytest.approx(dict(enumerate(scores)), abs=1e-6)
    assert all(each.keys() == {"index", "score"} for each in answer.json())


def test_texts_and_raw_scores_are_returned_if_asked(client: TestClient) -> None:
    body = {"query": QUERY, "texts": TEXTS, "raw_scores": True, "return_text": True, "truncate": None}
    answer = client.post("/rerank", json=body).json()
    assert [each["text"] for each in answer] == [TEXTS[each["index"]] for each in answer]
    raw = scores_of(client, TEXTS, raw_scores=True)
    assert [each["score"] for each in answer] == pytest.approx(sorted(raw, reverse=True), abs=1e-5)
    assert raw != pytest.approx(scores_of(client, TEXTS), abs=1e-3)


@pytest.mark.parametrize("direction", ["left", "Right"])
def test_a_long_text_is_cut_only_if_asked(client: TestClient, direction: str) -> None:
    texts = ["rain " * 30 + "dog", "dog"]
    refused = client.post("/rerank", json={"query": QUERY, "texts": texts})
    assert (refused.status_code, "\n" in refused.text) == (422, False)
    assert "36 tokens and the model takes 32" in refused.json()["error"]
    body = {"query": QUERY, "texts": texts, "truncate": True, "truncation_direction": direction}
    answer = client.post("/rerank", json=body).json()
    cut = scores_of(client, [texts[0]], truncate=True, truncation_direction=direction.lower())
    assert next(each["score"] for each in answer if each["index"] == 0) == pytest.approx(cut[0], abs=1e-6)


@pytest.mark.parametrize("path", ["/rerank", "/v1/rerank", "/v2/rerank"])
def test_documents_are_ranked_in_the_format_of_cohere_and_jina(client: TestClient, path: str) -> None:
    documents = [TEXTS[0], {"text": TEXTS[1], "title": "Dogs"}, TEXTS[2]]
    body = {"model": "any", "query": QUERY, "documents": documents, "return_documents": True}
    answer = client.post(path, json=body)
    assert answer.status_code == 200, answer.text
    found = answer.json()
    scores = scores_of(client, TEXTS)
    for each in found["results"]:
        assert each["relevance_score"] == pytest.approx(scores[each["index"]], abs=1e-6)
        given = documents[each["index"]]
        assert each["document"] == ({"text": given} if isinstance(given, str) else given)
    ranked = [each["relevance_score"] for each in found["results"]]
    assert ranked == sorted(ranked, reverse=True) and len(ranked) == len(TEXTS)
    assert found["id"] and found["model"]
    # Three special tokens for each pair, and the words.
    tokens = sum(3 + len(f"{QUERY} {text}".split()) for text in TEXTS)
    assert found["usage"]["total_tokens"] == found["meta"]["tokens"]["input_tokens"] == tokens
    assert found["meta"]["api_version"]["version"] == ("1" if path.startswith("/v1") else "2")
    [best] = client.post(path, json={"query": QUERY, "documents": documents, "top_n": 1}).json()["results"]
    assert best == {name: found["results"][0][name] for name in ("index", "relevance_score")}


def test_a_long_document_is_cut(client: TestClient) -> None:
    document = "rain " * 100
    [found] = client.post("/rerank", json={"query": QUERY, "documents": [document]}).json()["results"]
    assert found["relevance_score"] == pytest.approx(scores_of(client, [document], truncate=True)[0], abs=1e-6)


@pytest.mark.parametrize(
    ("body", "reason"),
    [
        ({"query": QUERY}, "send either texts or documents"),
        ({"query": QUERY, "texts": TEXTS, "documents": TEXTS}, "send either texts or documents"),
        ({"texts": TEXTS}, "query: Field required"),
        ({"query": "", "texts": TEXTS}, "query: "),
        ({"query": QUERY, "texts": []}, "texts: "),
        ({"query": QUERY, "texts": ["a", ""]}, "texts.1: "),
        ({"query": QUERY, "texts": TEXTS, "top_n": 1}, "top_n: "),
        ({"query": QUERY, "documents": [{"title": "a"}]}, "text: Field required"),
        ({"query": QUERY, "documents": TEXTS, "top_n": 0}, "top_n: "),
        ({"query": QUERY, "documents": TEXTS, "max_tokens_per_doc": 10}, "max_tokens_per_doc: "),
        ({"query": QUERY, "documents": TEXTS, "rank_fields": ["title"]}, "rank_fields: "),
        ([QUERY], "send either texts or documents"),
    ],
)
def test_what_is_not_understood_is_refused_in_one_line(client: TestClient, body: Any, reason: str) -> None:
    answer = client.post("/rerank", json=body)
    assert answer.status_code == 422, answer.text
    assert reason in answer.json()["error"]
    assert "\n" not in answer.json()["error"]


@pytest.mark.parametrize("field", ["texts", "documents"])
def test_too_many_texts_are_refused(client: TestClient, field: str) -> None:
    limit = components.get_settings().max_inputs
    answer = client.post("/rerank", json={"query": QUERY, field: ["dog"] * (limit + 1)})
    assert answer.status_code == 413
    assert answer.json()["error"] == f"{field}: {limit + 1} exceed the limit of {limit}"


@pytest.mark.parametrize("field", ["texts", "documents"])
def test_too_many_texts_are_refused_before_they_are_looked_at(client: TestClient, field: str) -> None:
    limit = components.get_settings().max_inputs
    answer = client.post("/rerank", json={"query": QUERY, field: ["dog"] * limit + [7]})
    assert answer.status_code == 413, answer.text


def test_errors_below_v1_have_openai_format(client: TestClient) -> None:
    answer = client.post("/v1/rerank", json={"query": QUERY})
    assert answer.status_code == 422
    assert "send either texts or documents" in answer.json()["error"]["message"]
