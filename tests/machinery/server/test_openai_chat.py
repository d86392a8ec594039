"""OpenAI's chat route, and streams on all routes."""

import json
import threading
from collections.abc import Callable, Generator
from contextlib import contextmanager
from http.client import HTTPConnection, HTTPResponse
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
import torch
from example import INPUTS, REFUSED
from fastapi.testclient import TestClient
from machinery.live import live, served

from my_project.server.streaming import Stream
from my_project.task.streamer import Streamer

CHAT = {"model": "any", "messages": [{"role": "user", "content": "a happy dog"}], "max_tokens": 16}
TEXT = {"inputs": INPUTS[0], "parameters": {"max_new_tokens": 16}}
COMPLETION = {"prompt": INPUTS[0], "max_tokens": 16}
ROUTES = pytest.mark.parametrize(
    ("path", "body"), [("/v1/chat/completions", CHAT), ("/v1/completions", COMPLETION), ("/predict", TEXT)]
)
TIMEOUT_SECONDS = 60
"""Maximum time for something to happen."""


def test_a_chat_is_continued(client: TestClient) -> None:
    answer = client.post("/v1/chat/completions", json=CHAT | {"max_tokens": 4}).json()
    [choice] = answer["choices"]
    assert choice["message"]["role"] == "assistant"
    assert choice["finish_reason"] in ("stop", "length")
    usage = answer["usage"]
    assert usage["total_tokens"] == usage["prompt_tokens"] + usage["completion_tokens"]
    assert usage["completion_tokens"] <= 4


@pytest.mark.parametrize(
    "change",
    [{"messages": []}, {"stream": "often"}, {"n": 2}, {"max_tokens": 4000}, {"stop": ""}, {"stop": ["a"] * 9}],
)
def test_bad_input_is_refused_in_openai_shape(client: TestClient, change: dict[str, object]) -> None:
    answer = client.post("/v1/chat/completions", json=CHAT | change)
    assert answer.status_code == 422
    assert answer.json()["error"]["type"] == "invalid_request_error"


def refusal(client: TestClient, change: dict[str, object]) -> dict[str, Any]:
    """Return the error of a chat that is refused."""
    answer = client.post("/v1/chat/completions", json=CHAT | change)
    assert answer.status_code == 422, answer.text
    error: dict[str, Any] = answer.json()["error"]
    assert error["type"] == "invalid_request_error"
    return error


TOOLS = [{"type": "function", "function": {"name": "weather", "parameters": {"type": "object", "properties": {}}}}]


@pytest.mark.parametrize(
    ("change", "name"),
    [
        ({"tools": TOOLS}, "tools"),
        ({"tools": TOOLS, "tool_choice": "auto"}, "tools"),
        ({"tools": TOOLS, "tool_choice": "required"}, "tool_choice"),
        ({"tool_choice": {"type": "function", "function": {"name": "weather"}}}, "tool_choice"),
        ({"functions": [{"name": "weather"}]}, "functions"),
        ({"function_call": {"name": "weather"}}, "function_call"),
        ({"response_format": {"type": "json_object"}}, "response_format"),
        ({"response_format": {"type": "json_schema", "json_schema": {"name": "a"}}}, "response_format"),
        ({"logprobs": True}, "logprobs"),
        ({"top_logprobs": 3}, "top_logprobs"),
        ({"frequency_penalty": 0.5}, "frequency_penalty"),
        ({"presence_penalty": -1}, "presence_penalty"),
        ({"logit_bias": {"5": 1}}, "logit_bias"),
        ({"n": 2}, "n"),
        ({"modalities": ["text", "audio"]}, "modalities"),
        ({"audio": {"voice": "alloy", "format": "wav"}}, "audio"),
        ({"reasoning_effort": "high"}, "reasoning_effort"),
        ({"verbosity": "low"}, "verbosity"),
        ({"web_search_options": {}}, "web_search_options"),
        ({"store": True}, "store"),
    ],
)
def test_what_is_not_supported_is_refused_by_name(client: TestClient, change: dict[str, object], name: str) -> None:
    error = refusal(client, change)
    assert (error["param"], error["code"]) == (name, "unsupported_parameter")
    assert f"{name}: this server does not" in error["message"]


def test_a_field_that_nobody_knows_is_refused_by_name(client: TestClient) -> None:
    error = refusal(client, {"guided_regex": "a+"})
    assert (error["param"], error["code"]) == ("guided_regex", "unknown_parameter")


NEUTRAL = {
    "tools": [],
    "tool_choice": "none",
    "functions": [],
    "function_call": "auto",
    "parallel_tool_calls": True,
    "response_format": {"type": "text"},
    "logprobs": False,
    "top_logprobs": 0,
    "frequency_penalty": 0.0,
    "presence_penalty": 0,
    "logit_bias": {},
    "n": 1,
    "modalities": ["text"],
    "reasoning_effort": "none",
    "verbosity": "medium",
    "store": False,
    "stream_options": {"include_usage": True, "include_obfuscation": False},
    "prediction": {"type": "content", "content": "a"},
    "user": "me",
    "metadata": {"a": "b"},
    "service_tier": "auto",
    "safety_identifier": "me",
    "prompt_cache_key": "a",
    "prompt_cache_retention": "24h",
    "stop": [],
    "top_k": -1,
}


@pytest.mark.parametrize("change", [{name: value} for name, value in NEUTRAL.items()], ids=list(NEUTRAL))
def test_what_changes_nothing_is_taken(client: TestClient, change: dict[str, object]) -> None:
    answers = [client.post("/v1/chat/completions", json=CHAT | {"max_tokens": 4} | each) for each in ({}, change)]
    assert answers[1].status_code == 200, answers[1].text
    plain, changed = (each.json()["choices"] for each in answers)
    assert changed == plain


def test_null_is_the_default_of_every_field(client: TestClient) -> None:
    fields = client.get("/openapi.json").json()["components"]["schemas"]["ChatRequest"]["properties"]
    assert len(fields) > 30
    nulls = {name: None for name in fields if name not in CHAT}
    assert client.post("/v1/chat/completions", json=CHAT | nulls).status_code == 200


def test_tools_are_taken_if_none_is_to_be_called(client: TestClient) -> None:
    body = CHAT | {"tools": TOOLS, "tool_choice": "none"}
    assert client.post("/v1/chat/completions", json=body).status_code == 200


@pytest.mark.parametrize("options", [{"top_k": 1}, {"repetition_penalty": 5.0}, {"seed": -3, "temperature": 3}])
def test_further_parameters_reach_the_model(client: TestClient, options: dict[str, Any]) -> None:
    names = {"max_tokens": 16, **options}
    own = {"max_new_tokens": 16, **options} | ({"seed": -3 % 2**63} if "seed" in options else {})
    chat = client.post("/v1/chat/completions", json={"messages": CHAT["messages"], **names}).json()
    text = client.post("/predict", json={"inputs": "user a happy dog ", "parameters": own}).json()
    assert chat["choices"][0]["message"]["content"] == text[0]["generated_text"]


def prompt_of(client: TestClient, messages: list[dict[str, Any]], template: str | None = None) -> str:
    """Return the prompt that the model gets."""
    app: Any = client.app
    model = app.state.engine.model
    if template:
        model._tokenizer.chat_template = template
    seen: list[str] = []
    render = model._render

    def rendered(chat: Any) -> str:
        text: str = render(chat)
        if len(chat) == len(messages) and "~" not in text:  # neither a probe nor a variant
            seen.append(text)
        return text

    model._render = rendered
    answer = client.post("/v1/chat/completions", json={"messages": messages, "max_tokens": 1})
    assert answer.status_code == 200, answer.text
    [prompt] = seen
    assert answer.json()["usage"]["prompt_tokens"] == len(prompt), "a token is a letter"
    return prompt


USER = {"role": "user", "content": "hi"}


@pytest.mark.parametrize(
    ("messages", "prompt"),
    [
        ([{"role": "developer", "content": "be calm"}, USER], "system be calm user hi "),
        ([{"role": "system", "content": "be calm", "name": "boss"}, USER], "system be calm user hi "),
        ([{"role": "user", "content": [{"type": "text", "text": "hi"}]}], "user hi "),
        ([{"role": "user", "content": [{"type": "text", "text": "a"}, {"type": "text", "text": "b"}]}], "user a\nb "),
        ([USER, {"role": "assistant", "content": "yes", "refusal": None, "annotations": []}, USER], None),
        ([USER, {"role": "assistant", "content": None, "refusal": "no"}, USER], "user hi assistant no user hi "),
        ([USER, {"role": "assistant", "refusal": "no"}, USER], "user hi assistant no user hi "),
        (
            [USER, {"role": "assistant", "content": [{"type": "refusal", "refusal": "no"}]}, USER],
            "user hi assistant no user hi ",
        ),
        ([USER, {"role": "tool", "tool_call_id": "1", "content": "rain"}], "user hi tool rain "),
        ([USER, {"role": "tool", "content": [{"type": "text", "text": "rain"}]}], "user hi tool rain "),
        ([USER, {"role": "function", "name": "weather", "content": "rain"}], "user hi tool rain "),
        ([USER, {"role": "assistant", "content": "", "tool_calls": []}, USER], "user hi assistant  user hi "),
    ],
)
def test_every_shape_of_a_message_is_taken(
    client: TestClient, messages: list[dict[str, Any]], prompt: str | None
) -> None:
    assert prompt_of(client, messages) == (prompt or "user hi assistant yes user hi ")


CALL = {"id": "c1", "type": "function", "function": {"name": "weather", "arguments": '{"city": "Oslo"}'}}
CALLED = [
    USER,
    {"role": "assistant", "content": None, "tool_calls": [CALL]},
    {"role": "tool", "tool_call_id": "c1", "content": "rain"},
]
WITH_TOOLS = (
    "{% for m in messages %}"
    "{% for c in m.tool_calls or [] %}{{ c.id }}:{{ c.function.name }}({{ c.function.arguments.city }}) {% endfor %}"
    "{% if m.content %}{{ m.role }} {{ m.content }} {% endif %}"
    "{% endfor %}"
)


def test_calls_of_tools_reach_a_template_that_takes_them(client: TestClient) -> None:
    assert prompt_of(client, CALLED, WITH_TOOLS) == "user hi c1:weather(Oslo) tool rain "
    old = {"role": "assistant", "content": None, "function_call": CALL["function"]}
    template = WITH_TOOLS.replace("{{ c.id }}:", "")
    assert prompt_of(client, [USER, old], template) == "user hi weather(Oslo) "


def test_a_template_that_takes_lists_of_parts_alone_gets_them(client: TestClient) -> None:
    template = (
        "{% for m in messages %}{{ m.role }} "
        "{% for part in m.content %}{% if part.type == 'text' %}{{ part.text }} {% endif %}{% endfor %}{% endfor %}"
    )
    said = [{"role": "system", "content": "be calm"}, USER, {"role": "assistant", "content": ""}, USER]
    assert prompt_of(client, said, template) == "system be calm user hi assistant user hi "


@pytest.mark.parametrize(
    ("template", "messages", "reason"),
    [
        (None, CALLED, "messages.1: the model's chat template takes no tool_calls"),
        (
            "{% for m in messages %}{% if m.role in ['user', 'assistant'] %}{{ m.content }}{% endif %}{% endfor %}",
            [{"role": "developer", "content": "be calm"}, USER],
            "messages.0: the model's chat template takes no text of the role system",
        ),
        (WITH_TOOLS.replace("m.content %}", "m.role != 'tool' %}"), CALLED, "messages.2: the model's chat template"),
        (
            "{{ messages[0].content }}",
            [USER, USER],
            "messages.1: the model's chat template takes no text of the role user",
        ),
        ("{{ raise_exception('no system') }}", [USER], "the model's chat template rejected them: no system"),
    ],
)
def test_what_the_template_leaves_out_is_refused_by_name(
    client: TestClient, template: str | None, messages: list[dict[str, Any]], reason: str
) -> None:
    app: Any = client.app
    if template:
        app.state.engine.model._tokenizer.chat_template = template
    assert reason in refusal(client, {"messages": messages})["message"]


@pytest.mark.parametrize(
    ("message", "name", "reason"),
    [
        ({"role": "user", "content": None}, "messages.0", "content is missing"),
        ({"role": "user"}, "messages.0", "content is missing"),
        ({"role": "assistant", "content": None}, "messages.0", "content is missing"),
        ({"role": "tool", "tool_call_id": "1"}, "messages.0", "content is missing"),
        ({"role": "critic", "content": "no"}, "messages.0.role", "'developer'"),
        ({"content": "no"}, "messages.0.role", "required"),
        (
            {"role": "user", "content": [{"type": "image_url", "image_url": {"url": "a"}}]},
            "messages.0.content",
            "the model takes text, not parts of the type image_url",
        ),
        ({"role": "user", "content": [{"type": "input_audio"}]}, "messages.0.content", "type input_audio"),
        ({"role": "user", "content": ["hi"]}, "messages.0.content", "type None"),
        ({"role": "user", "content": [{"type": "text"}]}, "messages.0.content", "needs a text"),
        ({"role": "assistant", "content": "a", "audio": {"id": "1"}}, "messages.0.audio", "does not support it"),
        ({"role": "user", "content": "a", "tool_calls": [CALL]}, "messages.0.tool_calls", "only the role assistant"),
        (
            {"role": "assistant", "tool_calls": [{"type": "custom", "custom": {}}]},
            "messages.0.tool_calls.0.type",
            "'function'",
        ),
        (
            {"role": "assistant", "tool_calls": [{"function": {"name": "a", "arguments": "Oslo"}}]},
            "messages.0.tool_calls.0.function.arguments",
            "not a JSON object",
        ),
    ],
)
def test_a_message_of_the_wrong_shape_is_refused_by_name(
    client: TestClient, message: dict[str, Any], name: str, reason: str
) -> None:
    error = refusal(client, {"messages": [message]})
    assert error["param"] == name
    assert reason in error["message"]


@pytest.mark.parametrize("field", ["max_tokens", "max_completion_tokens"])
def test_the_model_limits_the_length_and_nothing_else(client: TestClient, field: str) -> None:
    body = {"messages": CHAT["messages"]}
    error = refusal(client, {"max_tokens": None, field: 8192})
    assert error["code"] == "context_length_exceeded"
    assert "17 tokens and 8192 new ones are more than the 128 that the model takes" in error["message"]
    answer = client.post("/v1/chat/completions", json=body | {field: 128 - 17})
    assert answer.json()["usage"]["completion_tokens"] == 128 - 17
    assert refusal(client, {"max_tokens": None, field: 128 - 16})["code"] == "context_length_exceeded"


def test_without_a_length_the_answer_fills_the_room_that_the_prompt_leaves(client: TestClient) -> None:
    answer = client.post("/v1/chat/completions", json={"messages": CHAT["messages"]}).json()
    assert answer["usage"] == {"prompt_tokens": 17, "completion_tokens": 111, "total_tokens": 128}
    assert answer["choices"][0]["finish_reason"] == "length"
    body = {"inputs": "a" * 100, "stream": True, "details": True}
    *_, last = events(client.post("/predict", json=body).text)
    assert last["details"]["generated_tokens"] == 28
    assert last["details"]["finish_reason"] == "length"


def test_a_chat_that_is_too_long_has_the_code_of_openai(client: TestClient) -> None:
    answer = client.post("/v1/chat/completions", json=CHAT | {"messages": [{"role": "user", "content": REFUSED}]})
    assert answer.status_code == 422
    assert answer.json()["error"]["code"] == "context_length_exceeded"


def events(text: str) -> list[Any]:
    """Return the events of a stream; the last word as it is."""
    lines = [line.removeprefix("data: ") for line in text.splitlines() if line]
    return [line if line == "[DONE]" else json.loads(line) for line in lines]


def stop_of(client: TestClient) -> str:
    """Two letters in the middle of what the chat is continued with."""
    text: str = client.post("/v1/chat/completions", json=CHAT).json()["choices"][0]["message"]["content"]
    return text[4:6]


DRAWN = {"temperature": 5, "seed": 1}


@pytest.mark.parametrize("options", [{}, {"max_tokens": 1}, {"stop": "?"}, DRAWN], ids=["", "one", "stop", "drawn"])
def test_a_streamed_chat_is_the_chat_in_pieces(client: TestClient, options: dict[str, Any]) -> None:
    body = CHAT | options
    if "stop" in options:
        body["stop"] = stop_of(client)
    whole = client.post("/v1/chat/completions", json=body).json()
    body |= {"stream": True, "stream_options": {"include_usage": True}}
    answer = client.post("/v1/chat/completions", json=body)
    assert answer.headers["content-type"].startswith("text/event-stream")
    first, *middle, last, usage, done = events(answer.text)
    assert done == "[DONE]"
    assert first["choices"][0]["delta"] == {"role": "assistant", "content": ""}
    assert {each["id"] for each in (first, *middle, last, usage)} == {first["id"]}
    assert {each["object"] for each in (first, *middle, last, usage)} == {"chat.completion.chunk"}
    assert {each["usage"] for each in (first, *middle, last)} == {None}
    text = "".join(each["choices"][0]["delta"]["content"] for each in middle)
    assert text == whole["choices"][0]["message"]["content"]
    assert [each["choices"][0]["finish_reason"] for each in (first, *middle)] == [None] * (len(middle) + 1)
    assert last["choices"][0]["finish_reason"] == whole["choices"][0]["finish_reason"]
    assert (usage["choices"], usage["usage"]) == ([], whole["usage"])


def test_usage_comes_only_if_asked(client: TestClient) -> None:
    answer = client.post("/v1/chat/completions", json=CHAT | {"stream": True})
    assert not [each for each in events(answer.text)[:-1] if "usage" in each]


@pytest.mark.parametrize(
    "options", [{}, {"return_full_text": True}, {"stop": "?"}, DRAWN], ids=["", "full", "stop", "drawn"]
)
def test_a_streamed_text_is_the_text_in_tokens(client: TestClient, options: dict[str, Any]) -> None:
    if "stop" in options:
        [free] = client.post("/predict", json=TEXT).json()
        options = {"stop": [free["generated_text"][4:6]]}
    parameters = {"max_new_tokens": 16, **options}
    [whole] = client.post("/predict", json=TEXT | {"parameters": parameters}).json()
    answer = client.post("/", json=TEXT | {"parameters": parameters | {"details": True}, "stream": True})
    *others, last = events(answer.text)
    assert [each["index"] for each in (*others, last)] == list(range(1, len(others) + 2))
    assert {each["generated_text"] for each in others} <= {None}
    assert last["generated_text"] == whole["generated_text"]
    text = "".join(each["token"]["text"] for each in (*others, last))
    assert text == whole["generated_text"].removeprefix(INPUTS[0])
    assert last["details"]["generated_tokens"] == len(others) + 1
    assert last["details"]["finish_reason"] == ("stop_sequence" if "stop" in options else "length")
    assert last["details"]["seed"] == options.get("seed")
    assert last["details"]["input_length"] == len(INPUTS[0])


def test_a_stream_ends_where_the_model_does(client: TestClient) -> None:
    free = events(client.post("/predict", json=TEXT | {"stream": True}).text)
    app: Any = client.app
    model = app.state.engine.model
    end = free[2]["token"]["id"]
    model._network.generation_config.eos_token_id = end
    model._tokenizer.add_special_tokens({"extra_special_tokens": model._tokenizer.convert_ids_to_tokens([end])})
    *others, last = events(client.post("/predict", json=TEXT | {"stream": True, "details": True}).text)
    assert (last["token"]["id"], last["token"]["text"], last["token"]["special"]) == (end, "", True)
    assert last["details"]["finish_reason"] == "eos_token"
    assert last["generated_text"] == "".join(each["token"]["text"] for each in others)


def test_only_one_input_is_streamed(client: TestClient) -> None:
    answer = client.post("/predict", json={"inputs": INPUTS[:2], "stream": True})
    assert answer.status_code == 422
    assert answer.json()["error"] == "stream: one input at a time can be streamed, not 2"
    assert client.post("/predict", json=TEXT | {"details": True}).status_code == 422


@ROUTES
def test_what_is_refused_before_the_first_token_is_an_ordinary_answer(
    client: TestClient, path: str, body: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    long = {"inputs": REFUSED, "prompt": REFUSED, "messages": [{"role": "user", "content": REFUSED}]}
    answer = client.post(path, json=body | {name: long[name] for name in body if name in long} | {"stream": True})
    assert answer.status_code == 422
    assert "lower max_new_tokens" in answer.text
    app: Any = client.app
    monkeypatch.setattr(app.state.engine._loaded.batcher, "_max_wait_seconds", -1)
    answer = client.post(path, json=body | {"stream": True})
    assert answer.status_code == 503
    assert int(answer.headers["Retry-After"]) > 0
    assert answer.json()["error"]


class Gate:
    """Holds a generation before one of its tokens."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, token: int, then: Callable[[], None] = lambda: None) -> None:
        self.reached, self.opened, self.closed = threading.Event(), threading.Event(), threading.Event()
        self.tokens = -1  # the prompt comes first
        put, close = Streamer.put, Stream.close

        def held(streamer: Streamer, value: torch.Tensor) -> None:
            self.tokens += 1
            if self.tokens == token:
                self.reached.set()
                assert self.opened.wait(TIMEOUT_SECONDS)
                then()
            put(streamer, value)

        def closed(stream: Stream) -> None:
            close(stream)
            self.closed.set()

        monkeypatch.setattr(Streamer, "put", held)
        monkeypatch.setattr(Stream, "close", closed)


@contextmanager
def streamed(url: str, path: str, body: dict[str, Any]) -> Generator[HTTPResponse]:
    """Return the response to a stream request, over a real connection that is closed in the end."""
    connection = HTTPConnection("127.0.0.1", urlsplit(url).port or 0, timeout=TIMEOUT_SECONDS)
    try:
        connection.request("POST", path, json.dumps(body | {"stream": True}), {"content-type": "application/json"})
        with connection.getresponse() as response:
            yield response
    finally:
        connection.close()


@ROUTES
def test_pieces_arrive_while_the_rest_is_computed(
    path: str, body: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    gate = Gate(monkeypatch, token=3)
    with live() as url, streamed(url, path, body) as response:
        assert response.status == 200
        first = events(response.readline().decode())
        assert gate.reached.wait(TIMEOUT_SECONDS)
        gate.opened.set()
        assert len([*first, *events(response.read().decode())]) > 3
    assert gate.tokens == 16


@ROUTES
def test_a_client_that_goes_frees_the_engine(path: str, body: dict[str, Any], monkeypatch: pytest.MonkeyPatch) -> None:
    gate = Gate(monkeypatch, token=3)
    with live() as url:
        with streamed(url, path, body) as response:
            assert response.readline()
            assert gate.reached.wait(TIMEOUT_SECONDS)
        assert gate.closed.wait(TIMEOUT_SECONDS)
        gate.opened.set()
        with streamed(url, "/predict", TEXT | {"parameters": {"max_new_tokens": 1}}) as response:
            assert response.read()
    assert gate.tokens <= 6, "one token more than was held, then the prompt and the token of the other"


@ROUTES
def test_what_fails_within_a_stream_is_its_last_event(
    path: str, body: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail() -> None:
        raise RuntimeError("no more memory")

    gate = Gate(monkeypatch, token=3, then=fail)
    gate.opened.set()
    with live() as url, streamed(url, path, body) as response:
        assert response.status == 200
        *_, last = events(response.read().decode())
    error = last["error"]["message"] if path.startswith("/v1/") else last["error"]
    assert error == "the prediction failed; the server's log says why"
    assert last.get("error_type", "generation") == "generation"


@ROUTES
def test_what_fails_before_a_stream_is_an_ordinary_answer(
    path: str, body: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail() -> None:
        raise RuntimeError("no more memory")

    gate = Gate(monkeypatch, token=1, then=fail)
    gate.opened.set()
    with live() as url, streamed(url, path, body) as response:
        assert response.status == 500
        assert "error" in json.loads(response.read())


HELD = """
import sys
import time
from pathlib import Path
from my_project.cli.program import main
from my_project.task.streamer import Streamer

gate = Path(sys.argv.pop(1))
put, calls = Streamer.put, []

def held(*arguments):
    calls.append(arguments)
    while len(calls) == 4 and not gate.exists():
        time.sleep(0.01)
    put(*arguments)

Streamer.put = held
main()
"""
"""The command, whose first stream waits after two tokens until there is a file."""


def test_sigterm_lets_a_stream_under_way_finish(tmp_path: Path) -> None:
    gate = tmp_path / "gate"
    with served("-c", HELD, str(gate), "serve") as (process, lines):
        try:
            messages = " ".join(lines)
            url = messages[messages.index("http://") :].split()[0]
            with streamed(url, "/v1/chat/completions", CHAT) as response:
                assert response.readline()
                process.terminate()
                assert process.stderr
                assert any("Shutting down" in line for line in process.stderr)
                gate.touch()
                assert response.read().endswith(b"data: [DONE]\n\n")
            process.communicate(timeout=TIMEOUT_SECONDS)
            assert process.returncode == 0
        finally:
            gate.touch()


def test_metrics_tell_when_streams_begin(client: TestClient) -> None:
    client.post("/predict", json=TEXT | {"stream": True})
    metrics = client.get("/metrics").text
    assert "predict_first_token_seconds_count" in metrics
    assert "predict_streamed_tokens_total" in metrics
