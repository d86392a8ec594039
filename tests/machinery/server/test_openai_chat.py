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
ROUTES = pytest.mark.parametrize(("path", "body"), [("/v1/chat/completions", CHAT), ("/predict", TEXT)])
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
    long = {"inputs": REFUSED, "messages": [{"role": "user", "content": REFUSED}]}
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
