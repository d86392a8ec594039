"""That pieces of text are whole characters, and no more than is certain."""

from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as some
from tokenizers import Tokenizer
from tokenizers.decoders import ByteLevel as ByteLevelDecoder
from tokenizers.models import BPE
from tokenizers.pre_tokenizers import ByteLevel
from transformers import PreTrainedTokenizerFast

from my_project.task.detokenizer import Detokenizer, decode, truncate_at

BYTES = sorted(ByteLevel.alphabet())


@pytest.fixture(scope="module")
def tokenizer() -> Any:
    """Return a tokenizer with a token for each byte, so that most characters have several."""
    tokenizer = Tokenizer(BPE({byte: index for index, byte in enumerate(["<eos>", *BYTES])}, []))
    tokenizer.pre_tokenizer = ByteLevel(add_prefix_space=False)
    tokenizer.decoder = ByteLevelDecoder()
    return PreTrainedTokenizerFast(tokenizer_object=tokenizer, eos_token="<eos>")


def pieces(tokenizer: Any, ids: list[int], *stop: str) -> list[str]:
    """Return the text of each token."""
    detokenizer = Detokenizer(tokenizer, stop)
    return [detokenizer.add(token) for token in ids]


def test_a_character_of_several_tokens_comes_whole_with_its_last(tokenizer: Any) -> None:
    assert pieces(tokenizer, tokenizer.encode("aé\U0001f600b")) == ["a", "", "é", "", "", "", "\U0001f600", "b"]


def test_special_tokens_have_no_text(tokenizer: Any) -> None:
    assert pieces(tokenizer, [*tokenizer.encode("a"), tokenizer.eos_token_id]) == ["a", ""]


def test_the_beginning_of_a_stop_waits_until_it_is_known_to_be_none(tokenizer: Any) -> None:
    assert pieces(tokenizer, tokenizer.encode("a##b###c"), "###") == ["a", "", "", "##b", "", "", "", ""]


def test_nothing_of_a_stop_comes_where_several_begin(tokenizer: Any) -> None:
    assert pieces(tokenizer, tokenizer.encode("abcd"), "abx", "bc") == [""] * 4


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(
    ids=some.lists(some.integers(0, len(BYTES)), max_size=30) | some.text(max_size=8).map(lambda text: text.encode()),
    stop=some.lists(some.text("ab ", min_size=1, max_size=3), max_size=2),
)
def test_all_pieces_begin_the_whole_text(tokenizer: Any, ids: list[int] | bytes, stop: list[str]) -> None:
    if isinstance(ids, bytes):
        ids = tokenizer.encode(ids.decode())
    free = decode(tokenizer, ids)
    whole = truncate_at(free, stop)
    sent = "".join(pieces(tokenizer, ids, *stop))
    assert whole.startswith(sent)
    held = whole[len(sent) :]
    assert not held or held.endswith("\ufffd") or whole != free or any(each.startswith(held) for each in stop)


def test_a_space_before_a_word_is_kept(model_folder: Path) -> None:
    tokenizer = PreTrainedTokenizerFast.from_pretrained(model_folder)
    assert "".join(pieces(tokenizer, tokenizer.encode("a b  c"))) == "a b  c"
