"""The text of tokens as they come, before it is known what follows them."""

from collections.abc import Sequence
from typing import Any, NamedTuple

INCOMPLETE = "\ufffd"
"""What a text ends with when the rest of a character is in the next token."""


class Piece(NamedTuple):
    """A token, and the text that is certain with it."""

    id: int
    text: str
    special: bool


class Detokenizer:
    """Gives the text of each token: whole characters, and nothing that may be the beginning of a stop.

    What it holds back at the end is for the caller to add, who knows the whole text then.
    """

    def __init__(self, tokenizer: Any, stop: Sequence[str] = ()) -> None:
        self._tokenizer, self._stop = tokenizer, stop
        self._given: list[int] = []
        self._new: list[int] = []
        self._held = ""
        self._stopped = False

    def add(self, token: int) -> str:
        """The text that is certain with this token; empty for a part of a character, and from a stop on."""
        self._new.append(token)
        # Beside those before them, because many tokenizers leave out the space before a text's first word.
        text = decode(self._tokenizer, self._given + self._new)[len(decode(self._tokenizer, self._given)) :]
        if self._stopped or not text or text.endswith(INCOMPLETE):
            return ""
        self._given, self._new = self._new, []
        text = self._held + text
        self._stopped = until(text, self._stop) != text
        if self._stopped:
            return ""
        certain = text[: len(text) - max((_begun(text, stop) for stop in self._stop), default=0)]
        self._held = text[len(certain) :]
        return certain


def decode(tokenizer: Any, ids: Sequence[int]) -> str:
    """The text of the tokens, as the model wrote it; special ones have none."""
    return tokenizer.decode(ids, skip_special_tokens=True, clean_up_tokenization_spaces=False)


def until(text: str, stop: Sequence[str]) -> str:
    """The text up to the first stop, which generation may have run past by part of a token."""
    return text[: min((at for each in stop if (at := text.find(each)) >= 0), default=len(text))]


def _begun(text: str, stop: str) -> int:
    """Characters at the end of the text that the stop begins with."""
    return next((length for length in range(len(stop) - 1, 0, -1) if text.endswith(stop[:length])), 0)
