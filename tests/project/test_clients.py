"""Hugging Face's client works with the API of every task, and OpenAI's client with that of text-generation."""

import base64
from pathlib import Path

import httpx
import pytest
from huggingface_hub import InferenceClient

from tests.conftest import rows
from tests.project.conftest import Make, Project

pytestmark = pytest.mark.project


def tiny_model(project: Project, folder: Path) -> dict[str, str]:
    """Return settings that select the tiny model of the project's own tests."""
    code = "import sys; sys.path.insert(0, 'tests'); from pathlib import Path; from example import make_model"
    return {"MY_PROJECT_MODEL": project.python(f"{code}; print(make_model(Path({str(folder)!r})))").strip()}


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
    with pytest.raises(UnprocessableEntityError, match="max_new_tokens"):
        client.chat.completions.create(model="any", messages=messages, max_tokens=1000, stream=True)


def image_classification(client: InferenceClient) -> None:
    white = "iVBORw0KGgoAAAANSUhEUgAAAAIAAAACCAIAAAD91JpzAAAADklEQVR4nGP4DwYMEAoAU7oL9ZisIGcAAAAASUVORK5CYII="
    image = base64.b64decode(white)
    labels = client.image_classification(image)
    assert {label.label for label in labels} == {"cat", "dog", "bird"}
    assert len(client.image_classification(image, top_k=2)) == 2


ASK = {
    "text-classification": text_classification,
    "fill-mask": fill_mask,
    "text-generation": text_generation,
    "image-classification": image_classification,
}


@pytest.mark.parametrize("task", rows(ASK, ["text-generation"]))
def test_the_hubs_client_works_as_it_is(make_project: Make, tmp_path: Path, task: str) -> None:
    project = make_project(package_manager="uv", hf_task=task)
    with project.served(**tiny_model(project, tmp_path)) as server:
        ASK[task](InferenceClient(server.url, timeout=60))
        if task == "text-generation":
            openai_chat(server.url)


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
