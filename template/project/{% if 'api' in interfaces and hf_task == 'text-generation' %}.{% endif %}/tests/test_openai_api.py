"""The routes that OpenAI's clients call."""

import pytest
from fastapi.testclient import TestClient
from test_api import client

__all__ = ["client"]


def test_a_chat_is_continued(client: TestClient) -> None:
    body = {"model": "any", "messages": [{"role": "user", "content": "a happy dog"}], "max_tokens": 4}
    answer = client.post("/v1/chat/completions", json=body).json()
    [choice] = answer["choices"]
    assert choice["message"]["role"] == "assistant"
    assert choice["finish_reason"] in ("stop", "length")
    usage = answer["usage"]
    assert usage["total_tokens"] == usage["prompt_tokens"] + usage["completion_tokens"]
    assert usage["completion_tokens"] <= 4


@pytest.mark.parametrize(
    "change", [{"messages": []}, {"stream": True}, {"n": 2}, {"max_tokens": 4000}, {"stop": ""}, {"stop": ["a"] * 9}]
)
def test_bad_input_is_refused_in_openai_shape(client: TestClient, change: dict[str, object]) -> None:
    body = {"model": "any", "messages": [{"role": "user", "content": "a happy dog"}]} | change
    answer = client.post("/v1/chat/completions", json=body)
    assert answer.status_code == 422
    assert answer.json()["error"]["type"] == "invalid_request_error"
