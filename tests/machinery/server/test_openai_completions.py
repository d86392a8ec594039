"""OpenAI's completions route."""

import json
from typing import Any

import pytest
from example import INPUTS, REFUSED
from fastapi.testclient import TestClient

from my_project.server.routes.openai_completions import completions_router

assert completions_router is not None

BODY = {"model": "any", "prompt": INPUTS[0], "max_tokens": 16}


def texts(client: TestClient, **change: Any) -> list[str]:
    answer = client.post("/v1/completions", json=BODY | change)
    assert answer.status_code == 200, answer.text
    choices = answer.json()["choices"]
    assert [each["index"] for each in choices] == list(range(len(choices)))
    return [each["text"] for each in choices]


def expected(client: TestClient, *prompts: str, **parameters: Any) -> list[str]:
    """Return what the other route, which the library is compared with, says."""
    answers = client.post("/predict", json={"inputs": list(prompts), "max_new_tokens": 16, **parameters}).json()
    return [each["generated_text"] for each in answers]


def test_a_prompt_is_continued_as_by_predict(client: TestClient) -> None:
    answer = client.post("/v1/completions", json=BODY).json()
    assert answer["object"] == "text_completion"
    assert answer["id"].startswith("cmpl-")
    assert answer["model"] == client.get("/health").json()["model"]
    [choice] = answer["choices"]
    assert [choice["text"]] == expected(client, INPUTS[0])
    assert (choice["index"], choice["logprobs"], choice["finish_reason"]) == (0, None, "length")
    prompt = len(INPUTS[0])
    assert answer["usage"] == {"prompt_tokens": prompt, "completion_tokens": 16, "total_tokens": prompt + 16}


def test_several_prompts_are_answered_in_order(client: TestClient) -> None:
    prompts = [*INPUTS, INPUTS[0]]
    assert texts(client, prompt=prompts) == expected(client, *prompts)
    assert len(set(texts(client, prompt=prompts))) > 1
    usage = client.post("/v1/completions", json=BODY | {"prompt": prompts}).json()["usage"]
    assert usage["prompt_tokens"] == sum(map(len, prompts))


def test_token_ids_are_those_of_the_model(client: TestClient) -> None:
    app: Any = client.app
    ids = app.state.engine.model._tokenizer(INPUTS[:2])["input_ids"]
    whole = expected(client, *INPUTS[:2])
    assert texts(client, prompt=ids[0]) == whole[:1]
    assert texts(client, prompt=ids) == whole
    assert texts(client, prompt=[ids[1], INPUTS[0]]) == whole[::-1]


def test_sixteen_tokens_are_the_default_as_in_the_schema(client: TestClient) -> None:
    answer = client.post("/v1/completions", json={"prompt": INPUTS[0]}).json()
    assert answer["usage"]["completion_tokens"] == 16
    answer = client.post("/v1/completions", json={"prompt": "a" * 120}).json()
    assert answer["usage"]["completion_tokens"] == 8, "what the prompt leaves of 128"


@pytest.mark.parametrize(
    "options", [{"seed": 1, "temperature": 5.0}, {"top_k": 1}, {"repetition_penalty": 3.0}, {"temperature": 0}]
)
def test_parameters_reach_the_model(client: TestClient, options: dict[str, Any]) -> None:
    own = {} if options == {"temperature": 0} else options
    assert texts(client, **options) == expected(client, INPUTS[0], **own)


def test_a_stream_is_the_text_in_pieces(client: TestClient) -> None:
    stop = texts(client)[0][4:6]
    for options in ({}, {"stop": stop}, {"max_tokens": 1}, {"prompt": [INPUTS[1]]}):
        whole = client.post("/v1/completions", json=BODY | options).json()
        body = BODY | options | {"stream": True, "stream_options": {"include_usage": True}}
        lines = [line for line in client.post("/v1/completions", json=body).text.splitlines() if line]
        *events, done = [line.removeprefix("data: ") for line in lines]
        assert done == "[DONE]"
        *middle, last, usage = [json.loads(each) for each in events]
        assert {each["id"] for each in middle} == {last["id"]}
        assert {each["object"] for each in (*middle, last, usage)} == {"text_completion"}
        assert "".join(each["choices"][0]["text"] for each in middle) == whole["choices"][0]["text"]
        assert {each["choices"][0]["finish_reason"] for each in middle} <= {None}
        assert last["choices"][0]["finish_reason"] == whole["choices"][0]["finish_reason"]
        assert {json.dumps(each["usage"]) for each in (*middle, last)} == {"null"}
        assert (usage["choices"], usage["usage"]) == ([], whole["usage"])


@pytest.mark.parametrize(
    ("change", "status", "parameter", "reason"),
    [
        ({"prompt": None}, 422, "prompt", "required"),
        ({"prompt": ""}, 422, "prompt", "not empty"),
        ({"prompt": []}, 422, "prompt", "one prompt at least"),
        ({"prompt": [""]}, 422, "prompt", "not empty"),
        ({"prompt": [[]]}, 422, "prompt", "not empty"),
        ({"prompt": 7}, 422, "prompt", "a text or a list of token ids"),
        ({"prompt": [True]}, 422, "prompt", "a text or a list of token ids"),
        ({"prompt": [[1, "a"]]}, 422, "prompt", "a text or a list of token ids"),
        ({"prompt": [1, 97]}, 422, None, "no token 97, only those from 0 to 96"),
        ({"prompt": [-1]}, 422, None, "no token -1"),
        ({"prompt": ["a"] * 257}, 413, None, "257 exceed the limit of 256"),
        ({"prompt": ["a", "b"], "stream": True}, 422, None, "one prompt at a time can be streamed, not 2"),
        ({"prompt": REFUSED}, 422, None, "lower max_new_tokens (max_tokens)"),
        ({"max_tokens": 8192}, 422, None, "the 128 that the model takes"),
        ({"max_tokens": 0}, 422, "max_tokens", "greater than or equal to 1"),
        ({"echo": True}, 422, "echo", "does not support it"),
        ({"suffix": "end"}, 422, "suffix", "does not support it"),
        ({"best_of": 2}, 422, "best_of", "does not support it"),
        ({"n": 2}, 422, "n", "does not support it"),
        ({"logprobs": 0}, 422, "logprobs", "does not support it"),
        ({"logit_bias": {"5": 1}}, 422, "logit_bias", "does not support it"),
        ({"presence_penalty": 1}, 422, "presence_penalty", "does not support it"),
        ({"max_completion_tokens": 4}, 422, "max_completion_tokens", "not permitted"),
    ],
)
def test_what_is_not_taken_is_refused_by_name(
    client: TestClient, change: dict[str, Any], status: int, parameter: str | None, reason: str
) -> None:
    answer = client.post("/v1/completions", json=BODY | change)
    assert answer.status_code == status
    error = answer.json()["error"]
    assert (error["type"], error["param"]) == ("invalid_request_error", parameter)
    assert reason in error["message"]


def test_what_changes_nothing_is_taken(client: TestClient) -> None:
    neutral = {"echo": False, "suffix": "", "best_of": 1, "n": 1, "logit_bias": {}, "user": "me", "logprobs": None}
    assert texts(client, **neutral, frequency_penalty=0, presence_penalty=0.0) == texts(client)
