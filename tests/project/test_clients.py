"""The API of every task with the client of the Hugging Face Hub, and of OpenAI where it has the route."""

from pathlib import Path
from typing import Any

import pytest

from tests.conftest import rows
from tests.project.conftest import Make, Project

pytestmark = pytest.mark.project


def tiny_model(project: Project, folder: Path) -> dict[str, str]:
    """Settings that use the tiny model of the project's own tests."""
    code = "import sys; sys.path.insert(0, 'tests'); from pathlib import Path; from example import make_model"
    return {"MY_PROJECT_MODEL": project.python(f"{code}; print(make_model(Path({str(folder)!r})))").strip()}


def text_classification(client: Any) -> None:
    labels = client.text_classification("a happy dog")
    assert {label.label for label in labels} == {"sad", "calm", "happy"}
    assert len(client.text_classification("a happy dog", top_k=2)) == 2


def fill_mask(client: Any) -> None:
    words = client.fill_mask("a happy [MASK]", top_k=3)
    assert len(words) == 3
    assert words[0].score >= words[1].score
    assert {word.token_str for word in client.fill_mask("a [MASK]", targets=["dog", "rain"])} == {"dog", "rain"}


def text_generation(client: Any) -> None:
    text = client.text_generation("a happy dog", max_new_tokens=4)
    assert 0 < len(text) <= 4
    assert "".join(client.text_generation("a happy dog", max_new_tokens=4, stream=True)) == text
    *_, last = client.text_generation("a happy dog", max_new_tokens=4, stream=True, details=True)
    assert last.generated_text == text
    assert last.details.finish_reason in ("length", "eos_token")
    chat = [{"role": "user", "content": "a happy dog"}]
    answer = client.chat_completion(chat, max_tokens=4)
    assert answer.choices[0].message.role == "assistant"
    pieces = [each.choices[0].delta.content for each in client.chat_completion(chat, max_tokens=4, stream=True)]
    assert "".join(piece or "" for piece in pieces) == answer.choices[0].message.content


def openai_chat(url: str) -> None:
    from openai import OpenAI, UnprocessableEntityError

    client = OpenAI(base_url=f"{url}/v1", api_key="none", max_retries=0)
    asked: dict[str, Any] = {"model": "any", "messages": [{"role": "user", "content": "a happy dog"}]}
    chat = client.chat.completions.create(**asked, max_tokens=4)
    assert chat.usage.completion_tokens <= 4
    chunks = list(
        client.chat.completions.create(**asked, max_tokens=4, stream=True, stream_options={"include_usage": True})
    )
    text = "".join(choice.delta.content or "" for chunk in chunks for choice in chunk.choices)
    assert text == chat.choices[0].message.content
    assert [choice.finish_reason for chunk in chunks for choice in chunk.choices][-1] == chat.choices[0].finish_reason
    assert chunks[-1].usage == chat.usage
    with pytest.raises(UnprocessableEntityError, match="max_new_tokens"):
        client.chat.completions.create(**asked, max_tokens=1000, stream=True)


def image_classification(client: Any) -> None:
    import base64

    white = "iVBORw0KGgoAAAANSUhEUgAAAAIAAAACCAIAAAD91JpzAAAADklEQVR4nGP4DwYMEAoAU7oL9ZisIGcAAAAASUVORK5CYII="
    image = base64.b64decode(white)
    labels = client.image_classification(image)
    assert {label.label for label in labels} == {"cat", "dog", "bird"}
    assert len(client.image_classification(image, top_k=2)) == 2


ASKED = [text_classification, fill_mask, text_generation, image_classification]


@pytest.mark.parametrize("ask", rows(ASKED, [text_generation]))
def test_the_hubs_client_works_as_it_is(make_project: Make, tmp_path: Path, ask: Any) -> None:
    from huggingface_hub import InferenceClient

    project = make_project(package_manager="uv", hf_task=ask.__name__.replace("_", "-"))
    with project.served(**tiny_model(project, tmp_path)) as server:
        ask(InferenceClient(server.url, timeout=60))
        if ask is text_generation:
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
        import httpx

        answer = httpx.post(f"{server.url}/predict", json={"inputs": "user-7", "parameters": {"top_k": 3}})
        assert len(answer.json()) == 3
