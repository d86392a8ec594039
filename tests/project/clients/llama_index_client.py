# /// script
# dependencies = ["llama-index-embeddings-openai==0.7.0", "llama-index-llms-openai-like==0.8.1", "openai==2.54.0"]
# ///
"""LlamaIndex's classes for servers like OpenAI's, at their defaults: `llama_index_client.py TASK URL`."""

import sys

import expected
from llama_index.core.base.llms.types import ChatMessage, MessageRole
from llama_index.embeddings.openai import OpenAIEmbedding
from llama_index.llms.openai_like import OpenAILike


def text_generation(url: str) -> None:
    """Chat and complete, whole and streamed."""
    settings = {"model": "any", "api_base": f"{url}/v1", "api_key": "none", "max_retries": 0}
    completing = OpenAILike(max_tokens=4, temperature=0, **settings)
    assert completing.complete(expected.WORDS).text == expected.text(url, expected.WORDS, 4)
    *_, last = completing.stream_complete(expected.WORDS)
    assert last.text == expected.text(url, expected.WORDS, 4)
    chatting = OpenAILike(is_chat_model=True, max_tokens=4, temperature=0, **settings)
    user = ChatMessage(role=MessageRole.USER, content=expected.WORDS)
    answer = chatting.chat([user]).message.content
    assert answer == expected.reply(url)
    assert "".join(each.delta or "" for each in chatting.stream_chat([user])) == answer
    assert chatting.complete(expected.WORDS).text == answer
    history = [ChatMessage(role=MessageRole.SYSTEM, content="be calm"), user]
    prompt = f"system be calm user {expected.WORDS} "
    assert chatting.chat(history).message.content == expected.text(url, prompt, 4)
    assert OpenAILike(is_chat_model=True, **settings).chat([user]).message.content


def feature_extraction(url: str) -> None:
    """Embed one text and several."""
    texts = [expected.WORDS, "the rain"]
    vectors = expected.predict(url, texts)
    embedding = OpenAIEmbedding(api_base=f"{url}/v1", api_key="none", max_retries=0)
    expected.assert_near([embedding.get_text_embedding(texts[0])], vectors[:1])
    expected.assert_near([embedding.get_query_embedding(texts[0])], vectors[:1])
    expected.assert_near(embedding.get_text_embedding_batch(texts), vectors)


if __name__ == "__main__":
    {"text-generation": text_generation, "feature-extraction": feature_extraction}[sys.argv[1]](sys.argv[2])
