"""Long texts are tokenized beside short ones, by a copy of the tokenizer."""

import pickle
import threading
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from example import INPUTS

from my_project.inference.model import InferenceModel
from my_project.task.long_texts import LONG_REQUEST_CHARACTERS, LONG_TEXT_CHARACTERS, are_long
from my_project.task.tokenizer import TextTokenizer

SHORT = ["a dog", "two dogs"]
LONG = ["dog " * LONG_TEXT_CHARACTERS]


@pytest.fixture
def tokenizer(model: InferenceModel[Any, Any, Any]) -> TextTokenizer:
    """Return the tokenizer of the tiny model."""
    found: TextTokenizer = pickle.loads(pickle.dumps(model.tokenizer))  # type: ignore[attr-defined]
    return found


def test_texts_are_long_each_or_together() -> None:
    assert not are_long([])
    assert not are_long(["a" * 1000] * 256)
    assert are_long(["a", "a" * (LONG_TEXT_CHARACTERS + 1)])
    assert are_long([("a", "a" * LONG_TEXT_CHARACTERS)])
    assert are_long(["a" * 10_000] * (LONG_REQUEST_CHARACTERS // 10_000 + 1))


def test_a_model_tells_long_inputs(model: InferenceModel[Any, Any, Any]) -> None:
    assert not model.is_large(INPUTS)
    longer = [
        {name: text * LONG_TEXT_CHARACTERS for name, text in each.items()}
        if isinstance(each, dict)
        else tuple(text * LONG_TEXT_CHARACTERS for text in each)
        if isinstance(each, tuple)
        else each * LONG_TEXT_CHARACTERS
        for each in INPUTS[:1]
    ]
    assert model.is_large(longer)


def test_short_texts_do_not_wait_for_long_ones(tokenizer: TextTokenizer, monkeypatch: pytest.MonkeyPatch) -> None:
    started, goes_on = threading.Event(), threading.Event()
    encode = type(tokenizer)._encode

    def paused(self: Any, texts: Any, *rest: Any) -> Any:
        if texts == LONG:
            started.set()
            assert goes_on.wait(60)
        return encode(self, texts, *rest)

    monkeypatch.setattr(type(tokenizer), "_encode", paused)
    alone = tokenizer.encode(SHORT)
    with ThreadPoolExecutor() as threads:
        long = threads.submit(tokenizer.encode, LONG, True)
        try:
            assert started.wait(60)
            assert threads.submit(tokenizer.encode, SHORT).result(60) == alone
        finally:
            goes_on.set()
        assert len(long.result(60)[0]["input_ids"]) == tokenizer.facts.max_tokens


def test_threads_that_cut_and_do_not_cut_get_what_they_get_alone(tokenizer: TextTokenizer) -> None:
    cut, whole = tokenizer.encode(LONG, truncate=True, side="left"), tokenizer.encode(SHORT)
    with ThreadPoolExecutor(4) as threads:
        long = [threads.submit(tokenizer.encode, LONG, True, "left") for _ in range(20)]
        short = [threads.submit(tokenizer.encode, SHORT) for _ in range(200)]
        assert all(each.result() == cut for each in long)
        assert all(each.result() == whole for each in short)
