"""What fill-mask promises."""

from typing import Any

import pytest
from example import INPUTS

from my_project.errors import InvalidInputError
from my_project.inference.model import InferenceModel
from my_project.schemas import Parameters


def test_words_come_best_first_and_stand_in_the_text(model: InferenceModel[Any, Any, Any]) -> None:
    [words] = model.predict(["a happy [MASK]"], Parameters(top_k=3))
    assert len(words) == 3
    assert words == sorted(words, key=lambda word: -word["score"])
    for word in words:
        assert word["sequence"].startswith("a happy")


def test_one_mask_stands_for_that_of_every_model(model: InferenceModel[Any, Any, Any]) -> None:
    [ours] = model.predict(["a happy <mask>"], Parameters())
    assert [ours] == model.predict(["a happy [MASK]"], Parameters())
    with pytest.raises(InvalidInputError, match="has 2 masks"):
        model.predict(["a <mask> [MASK]"], Parameters())


def test_targets_are_the_only_words(model: InferenceModel[Any, Any, Any]) -> None:
    [words] = model.predict(INPUTS[:1], Parameters(targets=["dog", "rain"]))
    assert {word["token_str"] for word in words} == {"dog", "rain"}
    with pytest.raises(InvalidInputError, match="cat is not in"):
        model.predict(INPUTS[:1], Parameters(targets=["cat"]))


@pytest.mark.parametrize("text", ["a happy dog", "[MASK] [MASK]", "rain " * 100 + "[MASK]"])
def test_a_text_needs_one_mask_and_room(model: InferenceModel[Any, Any, Any], text: str) -> None:
    with pytest.raises(InvalidInputError):
        model.predict([text], Parameters())
