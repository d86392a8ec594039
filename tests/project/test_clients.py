"""Clients that people use work with the API at their defaults, each in an environment of its own."""

import base64
import json
import sys
from collections.abc import Iterator
from hashlib import sha256
from pathlib import Path
from secrets import token_urlsafe
from typing import Any

import httpx
import pytest
from huggingface_hub import InferenceClient
from huggingface_hub.errors import HfHubHTTPError

from tests.conftest import rows
from tests.installed import Make, Server, tiny_model
from tests.program import run

pytestmark = pytest.mark.project

CLIENTS = Path(__file__).parent / "clients"
SCRIPTS = ["haystack_client.py", "langchain_client.py", "litellm_client.py", "llama_index_client.py"]
LONGEST = 4096
"""Positions of the tiny model for text generation: default lengths of clients fit."""


@pytest.fixture(scope="module")
def generating(make_project: Make, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """Yield the API of text generation."""
    project = make_project(package_manager="uv", hf_task="text-generation")
    settings = tiny_model(project, tmp_path_factory.mktemp("generating"))
    folder = Path(settings["MY_PROJECT_MODEL"])
    changes = {"config.json": "max_position_embeddings", "tokenizer_config.json": "model_max_length"}
    for name, key in changes.items():
        known = json.loads((folder / name).read_text())
        assert key in known
        (folder / name).write_text(json.dumps(known | {key: LONGEST}))
    with project.served(**settings) as server:
        yield server


@pytest.fixture(scope="module", params=rows(["torch", "onnx"], ["torch"]))
def embedding(
    make_project: Make, tmp_path_factory: pytest.TempPathFactory, request: pytest.FixtureRequest
) -> Iterator[Server]:
    """Yield the API of embeddings."""
    project = make_project(package_manager="uv", hf_task="feature-extraction")
    folder = tmp_path_factory.mktemp("embedding")
    settings = tiny_model(project, folder / "model") | {"MY_PROJECT_EXPORTED": str(folder / "onnx")}
    with project.served(**settings, MY_PROJECT_RUNTIME=request.param) as server:
        yield server


def run_client(project_environment: dict[str, str], script: str, *arguments: str) -> None:
    """Run a script of `clients`, with the packages that it pins."""
    command = ["uv", "run", "--quiet", "--python", sys.executable, "--script", CLIENTS / script, *arguments]
    done = run(command, env=project_environment, timeout=600)
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.parametrize("script", SCRIPTS)
def test_a_client_generates_text(generating: Server, environment: dict[str, str], script: str) -> None:
    run_client(environment, script, "text-generation", generating.url)


@pytest.mark.parametrize("script", SCRIPTS)
def test_a_client_embeds_texts(embedding: Server, environment: dict[str, str], script: str) -> None:
    run_client(environment, script, "feature-extraction", embedding.url)


@pytest.mark.exhaustive
def test_langchain_embeds_at_its_defaults_if_the_server_knows_its_vocabulary(
    make_project: Make, environment: dict[str, str], tmp_path: Path
) -> None:
    run_client(environment, "openai_vocabulary.py", str(tmp_path / "tokenizer.json"))
    project = make_project(package_manager="uv", hf_task="feature-extraction")
    settings = {"MY_PROJECT_CLIENT_TOKENIZER": str(tmp_path / "tokenizer.json"), "MY_PROJECT_RUNTIME": "torch"}
    with project.served(**tiny_model(project, tmp_path / "model"), **settings) as server:
        run_client(environment, "langchain_client.py", "feature-extraction", server.url, "--decoded")


def test_the_clients_of_the_hub_and_of_openai_generate_text(generating: Server) -> None:
    text_generation(InferenceClient(generating.url, timeout=60))
    openai_chat(generating.url)


def test_the_clients_of_the_hub_and_of_openai_embed_texts(embedding: Server) -> None:
    from openai import NotFoundError, OpenAI, UnprocessableEntityError, omit  # slow to import

    vector = InferenceClient(embedding.url).feature_extraction("a happy dog")
    client = OpenAI(base_url=f"{embedding.url}/v1", api_key="none", max_retries=0)
    [model] = client.models.list()
    assert client.models.retrieve(model.id) == model
    with pytest.raises(NotFoundError, match="there is no model gpt-4o") as missing:
        client.models.retrieve("gpt-4o")
    assert missing.value.code == "model_not_found"
    for encoding in (omit, "float", "base64"):
        answer = client.embeddings.create(model=model.id, input=["a happy dog"], user="me", encoding_format=encoding)
        found = answer.data[0].embedding
        if not isinstance(found, str):
            assert found == pytest.approx(vector.tolist(), abs=1e-6)
    cut = client.embeddings.create(model=model.id, input="a happy dog", dimensions=8).data[0].embedding
    direct = httpx.post(f"{embedding.url}/predict", json={"inputs": "a happy dog", "dimensions": 8}).json()
    assert cut == pytest.approx(direct, abs=1e-6)
    with pytest.raises(UnprocessableEntityError, match="check_embedding_ctx_length=False") as refused:
        client.embeddings.create(model=model.id, input=[[1, 2]])
    assert (refused.value.param, refused.value.code) == ("input", "unsupported_value")


def test_clients_send_a_key_and_report_a_wrong_one_as_their_own_error(make_project: Make, tmp_path: Path) -> None:
    project = make_project(package_manager="uv", hf_task="text-generation")
    key = f"sk-{token_urlsafe(32)}"
    settings = {"MY_PROJECT_API_KEYS": f"laptop sha256:{sha256(key.encode()).hexdigest()}"}
    with project.served(**tiny_model(project, tmp_path), **settings) as server:
        use_keys(server.url, key)
        log = "".join(server.log)
    assert "[laptop]" in log
    assert key not in log and "sk-wrong" not in log


def use_keys(url: str, key: str) -> None:
    """Use a server with a key, with a wrong one and with none."""
    from openai import AuthenticationError, OpenAI  # slow to import

    messages: Any = [{"role": "user", "content": "a happy dog"}]
    with OpenAI(base_url=f"{url}/v1", api_key=key, max_retries=0) as client:
        assert client.chat.completions.create(model="any", messages=messages, max_tokens=4).choices
        parts = client.chat.completions.create(model="any", messages=messages, max_tokens=4, stream=True)
        assert [part.choices for part in parts]
    with OpenAI(base_url=f"{url}/v1", api_key="sk-wrong", max_retries=0) as client:
        with pytest.raises(AuthenticationError, match="the API key is not valid") as refused:
            client.models.list()
        assert (refused.value.status_code, refused.value.code) == (401, "invalid_api_key")
        with pytest.raises(AuthenticationError):
            client.chat.completions.create(model="any", messages=messages, stream=True)
    assert InferenceClient(url, token=key).text_generation("a happy dog", max_new_tokens=4)
    with pytest.raises(HfHubHTTPError) as unknown:
        InferenceClient(url, token="sk-wrong").text_generation("a happy dog", max_new_tokens=4)
    assert unknown.value.response.status_code == 401
    command = [
        "curl",
        "--silent",
        "--write-out",
        "%{http_code}",
        "--json",
        '{"inputs": "a happy dog"}',
        f"{url}/predict",
    ]
    assert run([*command, "--oauth2-bearer", key]).stdout.endswith("200")
    assert run(command).stdout == '{"error":"send an API key: Authorization: Bearer KEY"}401'


def test_open_webui_lists_the_model_chats_and_asks_for_a_title(generating: Server) -> None:
    headers = {"Authorization": "Bearer none", "Content-Type": "application/json", "User-Agent": "Python/3.11 aiohttp"}
    with httpx.Client(base_url=f"{generating.url}/v1", headers=headers, timeout=60) as client:
        listed = client.get("/models").json()
        [model] = listed["data"]
        assert listed["object"] == "list" and model["object"] == "model" and model["owned_by"]
        first = {"role": "user", "content": "a happy dog"}
        body: dict[str, Any] = {
            "stream": True,
            "model": model["id"],
            "messages": [{"role": "system", "content": "be calm"}, first],
            "stream_options": {"include_usage": True},
        }
        chosen = {"temperature": 0.8, "top_p": 0.9, "max_tokens": 16, "frequency_penalty": 0.0, "seed": 1}
        chosen |= {"stop": ["zzz"]}
        for options in (dict[str, Any](), chosen):
            answer = client.post("/chat/completions", json=body | options)
            assert answer.status_code == 200, answer.text
            assert answer.headers["content-type"].startswith("text/event-stream")
            *lines, done = [line.removeprefix("data: ") for line in answer.text.splitlines() if line]
            assert done == "[DONE]"
            *chunks, usage = map(json.loads, lines)
            text = "".join(each["choices"][0]["delta"].get("content", "") for each in chunks)
            assert text
            assert usage["usage"]["completion_tokens"] > 0
        reply = {"role": "assistant", "content": text}
        image = {"type": "image_url", "image_url": {"url": "data:image/png;base64,AAAA"}}
        seen = {"role": "user", "content": [{"type": "text", "text": "and this?"}, image]}
        refused = client.post("/chat/completions", json=body | {"messages": [first, reply, seen]})
        assert refused.status_code == 422
        assert "image_url" in refused.json()["error"]["message"], "Open WebUI shows this text"
        title = {
            "role": "user",
            "content": f"### Task: a title for <chat_history>USER: a happy dog {text}</chat_history>",
        }
        asked = {"model": model["id"], "messages": [title], "stream": False, "max_completion_tokens": 1000}
        answer = client.post("/chat/completions", json=asked)
        assert answer.status_code == 200, answer.text
        assert answer.json()["choices"][0]["message"]["content"]


def text_classification(client: InferenceClient) -> None:
    labels = client.text_classification("a happy dog")
    assert {label.label for label in labels} == {"sad", "calm", "happy"}
    assert len(client.text_classification("a happy dog", top_k=2)) == 2


def fill_mask(client: InferenceClient) -> None:
    words = client.fill_mask("a happy [MASK]", top_k=3)
    assert len(words) == 3
    assert words[0].score >= words[1].score
    assert {word.token_str for word in client.fill_mask("a [MASK]", targets=["dog", "rain"])} == {"dog", "rain"}


def text_generation(client: InferenceClient) -> None:
    text = client.text_generation("a happy dog", max_new_tokens=4)
    assert 0 < len(text) <= 4
    assert "".join(client.text_generation("a happy dog", max_new_tokens=4, stream=True)) == text
    *_, last = client.text_generation("a happy dog", max_new_tokens=4, stream=True, details=True)
    assert last.generated_text == text
    assert last.details and last.details.finish_reason in ("length", "eos_token")
    chat = [{"role": "user", "content": "a happy dog"}]
    answer = client.chat_completion(chat, max_tokens=4)
    assert answer.choices[0].message.role == "assistant"
    pieces = [each.choices[0].delta.content for each in client.chat_completion(chat, max_tokens=4, stream=True)]
    assert "".join(piece or "" for piece in pieces) == answer.choices[0].message.content


def openai_chat(url: str) -> None:
    from openai import OpenAI, UnprocessableEntityError  # slow to import
    from openai.types.chat import ChatCompletionMessageParam

    client = OpenAI(base_url=f"{url}/v1", api_key="none", max_retries=0)
    messages: list[ChatCompletionMessageParam] = [{"role": "user", "content": "a happy dog"}]
    chat = client.chat.completions.create(model="any", messages=messages, max_tokens=4)
    assert chat.usage and chat.usage.completion_tokens <= 4
    chunks = list(
        client.chat.completions.create(
            model="any", messages=messages, max_tokens=4, stream=True, stream_options={"include_usage": True}
        )
    )
    text = "".join(choice.delta.content or "" for chunk in chunks for choice in chunk.choices)
    assert text == chat.choices[0].message.content
    assert [choice.finish_reason for chunk in chunks for choice in chunk.choices][-1] == chat.choices[0].finish_reason
    assert chunks[-1].usage == chat.usage
    with pytest.raises(UnprocessableEntityError, match="max_new_tokens") as long:
        client.chat.completions.create(model="any", messages=messages, max_tokens=LONGEST, stream=True)
    assert long.value.code == "context_length_exceeded"
    [model] = client.models.list()
    asked: list[ChatCompletionMessageParam] = [{"role": "developer", "content": "be calm"}, *messages]
    answer = client.chat.completions.create(model=model.id, messages=asked, max_completion_tokens=4)
    [expected] = httpx.post(
        f"{url}/predict", json={"inputs": "system be calm user a happy dog ", "max_new_tokens": 4}
    ).json()
    assert answer.choices[0].message.content == expected["generated_text"]
    history: list[ChatCompletionMessageParam] = [*messages, answer.choices[0].message.to_dict(), *messages]  # type: ignore[list-item]
    assert client.chat.completions.create(model="any", messages=history, max_tokens=4).choices
    assert client.chat.completions.create(model="any", messages=messages).choices[0].message.content
    refused: list[dict[str, Any]] = [
        {"tools": [{"type": "function", "function": {"name": "weather"}}], "tool_choice": "required"},
        {"response_format": {"type": "json_object"}},
        {"logprobs": True},
        {"frequency_penalty": 0.5},
        {"n": 2},
    ]
    for options in refused:
        with pytest.raises(UnprocessableEntityError, match=next(iter(options))) as error:
            client.chat.completions.create(model="any", messages=messages, **options)
        assert error.value.code == "unsupported_parameter"
    prompts = ["a happy dog", "the rain"]
    completion = client.completions.create(model="any", prompt=prompts, max_tokens=4)
    whole = httpx.post(f"{url}/predict", json={"inputs": prompts, "max_new_tokens": 4}).json()
    assert [each.text for each in completion.choices] == [each["generated_text"] for each in whole]
    parts = client.completions.create(model="any", prompt=prompts[0], max_tokens=4, stream=True)
    assert "".join(part.choices[0].text for part in parts) == completion.choices[0].text


def image_classification(client: InferenceClient) -> None:
    white = "iVBORw0KGgoAAAANSUhEUgAAAAIAAAACCAIAAAD91JpzAAAADklEQVR4nGP4DwYMEAoAU7oL9ZisIGcAAAAASUVORK5CYII="
    image = base64.b64decode(white)
    labels = client.image_classification(image)
    assert {label.label for label in labels} == {"cat", "dog", "bird"}
    assert len(client.image_classification(image, top_k=2)) == 2


ASK = {
    "text-classification": text_classification,
    "fill-mask": fill_mask,
    "image-classification": image_classification,
}


@pytest.mark.exhaustive
@pytest.mark.parametrize("task", ASK)
def test_the_hubs_client_works_as_it_is(make_project: Make, tmp_path: Path, task: str) -> None:
    project = make_project(package_manager="uv", hf_task=task)
    with project.served(**tiny_model(project, tmp_path)) as server:
        ASK[task](InferenceClient(server.url, timeout=60))


def test_the_custom_project_trains_and_serves_what_it_learned(make_project: Make) -> None:
    project = make_project(package_manager="uv", hf_task="custom")
    missing = project.run("predict", "user-7", MY_PROJECT_MODEL="models/none")
    assert missing.returncode == 1
    assert missing.stderr.strip() == "error: models/none has no version latest: make one with the command train"
    assert project.make("train").returncode == 0
    done = project.run("predict", "user-7", "--parameter", "top_k=3")
    assert done.stdout.count("item-") == 3
    with project.served() as server:
        answer = httpx.post(f"{server.url}/predict", json={"inputs": "user-7", "parameters": {"top_k": 3}})
        assert len(answer.json()) == 3
