# /// script
# dependencies = ["litellm==1.110.2", "openai==3.57.0"]
# ///
"""LiteLLM with its provider for servers like OpenAI's, at its defaults: `litellm_client.py TASK URL`."""

import os
import sys

import expected

os.environ["LITELLM_LOCAL_MODEL_COST_MAP"] = "True"  # it would ask the network for prices

import litellm


def text_generation(url: str) -> None:
    """Chat and complete, whole and streamed."""
    settings = {"api_base": f"{url}/v1", "api_key": "none", "max_tokens": 4}
    messages = [{"role": "user", "content": expected.WORDS}]
    answer = litellm.completion("openai/any", messages=messages, **settings)
    assert answer.choices[0].message.content == expected.reply(url)
    assert answer.usage.completion_tokens == 4
    chunks = litellm.completion("openai/any", messages=messages, stream=True, **settings)
    text = "".join(choice.delta.content or "" for chunk in chunks for choice in chunk.choices)
    assert text == expected.reply(url)
    developer = [{"role": "developer", "content": "be calm"}, *messages]
    answer = litellm.completion("openai/any", messages=developer, **settings)
    prompt = f"system be calm user {expected.WORDS} "
    assert answer.choices[0].message.content == expected.text(url, prompt, 4)
    completion = litellm.text_completion(expected.WORDS, "text-completion-openai/any", temperature=0, **settings)
    assert completion.choices[0].text == expected.text(url, expected.WORDS, 4)
    try:
        litellm.completion("openai/any", messages=messages, response_format={"type": "json_object"}, **settings)
    except litellm.BadRequestError as error:
        assert "response_format" in str(error)
    else:
        raise AssertionError("response_format is not refused")


def feature_extraction(url: str) -> None:
    """Embed one text and several."""
    texts = [expected.WORDS, "the rain"]
    settings = {"api_base": f"{url}/v1", "api_key": "none"}
    answer = litellm.embedding("openai/any", input=texts, **settings)
    vectors = expected.predict(url, texts)
    expected.assert_near([each["embedding"] for each in answer.data], vectors)
    answer = litellm.embedding("openai/any", input=texts[0], **settings)
    expected.assert_near([answer.data[0]["embedding"]], vectors[:1])


if __name__ == "__main__":
    {"text-generation": text_generation, "feature-extraction": feature_extraction}[sys.argv[1]](sys.argv[2])
