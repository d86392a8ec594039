# /// script
# dependencies = ["langchain-openai==1.7.4", "litellm==1.110.2", "openai==3.57.0"]
# ///
"""LangChain's classes for OpenAI, at their defaults: `langchain_client.py TASK URL`."""

import os
import sys
from importlib.util import find_spec
from pathlib import Path

import expected

# LiteLLM carries OpenAI's vocabulary, which LangChain would download.
os.environ["TIKTOKEN_CACHE_DIR"] = str(Path(find_spec("litellm").origin).parent / "litellm_core_utils/tokenizers")

from langchain_core.messages import AIMessage, HumanMessage, SystemMessage, ToolMessage
from langchain_openai import ChatOpenAI, OpenAI, OpenAIEmbeddings
from openai import UnprocessableEntityError


def text_generation(url: str) -> None:
    """Chat and complete, whole and streamed."""
    settings = {"base_url": f"{url}/v1", "api_key": "none", "max_retries": 0}
    chat = ChatOpenAI(model="any", max_tokens=4, **settings)
    answer = chat.invoke(expected.WORDS)
    assert answer.content == expected.reply(url)
    assert answer.usage_metadata["output_tokens"] == 4
    assert "".join(chunk.content for chunk in chat.stream(expected.WORDS)) == answer.content
    assert [each.content for each in chat.batch([expected.WORDS] * 3)] == [answer.content] * 3
    assert ChatOpenAI(model="any", **settings).invoke(expected.WORDS).content
    history = [
        SystemMessage("be calm"),
        HumanMessage("hi"),
        AIMessage("yes"),
        HumanMessage([{"type": "text", "text": "a"}]),
    ]
    prompt = "system be calm user hi assistant yes user a "
    assert chat.invoke(history).content == expected.text(url, prompt, 4)

    called = AIMessage("", tool_calls=[{"name": "weather", "args": {"city": "Oslo"}, "id": "1"}])
    refused(lambda: chat.invoke([HumanMessage("hi"), called, ToolMessage("rain", tool_call_id="1")]), "tool_calls")
    refused(lambda: chat.bind_tools([{"name": "weather", "description": "a", "parameters": {}}]).invoke("hi"), "tools")
    schema = {"title": "answer", "description": "an answer", "type": "object", "properties": {"a": {"type": "string"}}}
    refused(lambda: chat.with_structured_output(schema).invoke("hi"), "response_format")
    refused(lambda: chat.bind(logprobs=True).invoke("hi"), "logprobs")

    completion = OpenAI(model="any", temperature=0, max_tokens=4, **settings)
    assert completion.invoke(expected.WORDS) == expected.text(url, expected.WORDS, 4)
    assert "".join(completion.stream(expected.WORDS)) == expected.text(url, expected.WORDS, 4)
    prompts = [expected.WORDS, "the rain"]
    found = [each[0].text for each in completion.generate(prompts).generations]
    assert found == [expected.text(url, prompt, 4) for prompt in prompts]
    assert OpenAI(model="any", **settings).invoke(expected.WORDS)


def feature_extraction(url: str) -> None:
    """Embed texts; by default LangChain sends token ids of OpenAI's vocabulary."""
    settings = {"base_url": f"{url}/v1", "api_key": "none", "max_retries": 0}
    texts = [expected.WORDS, "the rain"]
    vectors = expected.predict(url, texts)
    by_default = OpenAIEmbeddings(**settings)
    if "--decoded" in sys.argv:
        expected.assert_near(by_default.embed_documents(texts), vectors)
        expected.assert_near([by_default.embed_query(texts[0])], vectors[:1])
    else:
        refused(lambda: by_default.embed_query("rain"), "check_embedding_ctx_length=False")
    embeddings = OpenAIEmbeddings(model="any", check_embedding_ctx_length=False, **settings)
    expected.assert_near(embeddings.embed_documents(texts), vectors)
    expected.assert_near([embeddings.embed_query(texts[0])], vectors[:1])


def refused(call, reason: str) -> None:
    """Check that a call is refused with a reason."""
    try:
        call()
    except UnprocessableEntityError as error:
        assert reason in error.message, error.message
        assert error.type == "invalid_request_error"
    else:
        raise AssertionError(f"not refused: {reason}")


if __name__ == "__main__":
    {"text-generation": text_generation, "feature-extraction": feature_extraction}[sys.argv[1]](sys.argv[2])
