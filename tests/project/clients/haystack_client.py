# /// script
# dependencies = ["haystack-ai==3.4.1", "openai==3.57.0"]
# ///
"""Haystack's components for OpenAI, at their defaults: `haystack_client.py TASK URL`."""

import os
import sys

import expected

os.environ |= {"HAYSTACK_TELEMETRY_ENABLED": "False", "OPENAI_API_KEY": "none"}

from haystack import Document
from haystack.components.embedders import OpenAIDocumentEmbedder, OpenAITextEmbedder
from haystack.components.generators.chat import OpenAIChatGenerator
from haystack.dataclasses import ChatMessage


def text_generation(url: str) -> None:
    """Chat, whole and streamed."""
    user = ChatMessage.from_user(expected.WORDS)
    options = {"max_completion_tokens": 4}
    chat = OpenAIChatGenerator(api_base_url=f"{url}/v1", generation_kwargs=options, max_retries=0)
    [answer] = chat.run([user])["replies"]
    assert answer.text == expected.reply(url)
    prompt = f"system be calm user {expected.WORDS} "
    [answer] = chat.run([ChatMessage.from_system("be calm"), user])["replies"]
    assert answer.text == expected.text(url, prompt, 4)
    pieces = []
    streamed = chat.run([user], streaming_callback=lambda chunk: pieces.append(chunk.content))
    assert "".join(pieces) == streamed["replies"][0].text == expected.reply(url)
    assert OpenAIChatGenerator(api_base_url=f"{url}/v1", max_retries=0).run([user])["replies"][0].text


def feature_extraction(url: str) -> None:
    """Embed a text and documents."""
    texts = [expected.WORDS, "the rain"]
    vectors = expected.predict(url, texts)
    embedded = OpenAITextEmbedder(api_base_url=f"{url}/v1", max_retries=0).run(texts[0])
    expected.assert_near([embedded["embedding"]], vectors[:1])
    embedder = OpenAIDocumentEmbedder(api_base_url=f"{url}/v1", max_retries=0, progress_bar=False)
    documents = embedder.run([Document(content=text) for text in texts])["documents"]
    expected.assert_near([each.embedding for each in documents], vectors)


if __name__ == "__main__":
    {"text-generation": text_generation, "feature-extraction": feature_extraction}[sys.argv[1]](sys.argv[2])
