"""Decode tokens one by one, before the next ones are known."""

from collections.abc import Sequence
from typing import Any, NamedTuple

INCOMPLETE = "\ufffd"
"""Last character of a text whose last token is a part of a character."""


class Piece(NamedTuple):
    """A token, and the text that it completes."""

    id: int
    text: str
    special: bool


class Detokenizer:
    """Returns the text of each token: whole characters, without the beginning of a possible stop sequence.

    The caller adds what is held back at the end, when the whole text is known.
    """

    def __init__(self, tokenizer: Any, stop: Sequence[str] = ()) -> None:
        self._tokenizer, self._stop = tokenizer, stop
        self._decoded: list[int] = []
        self._new: list[int] = []
        self._held = ""
        self._stopped = False

    def add(self, token: int) -> str:
        """Return the text that this token completes; empty for a part of a character and after a stop sequence."""
        self._new.append(token)
        # Decoded behind the tokens before: many tokenizers drop the space before a text's first word.
        text = decode(self._tokenizer, self._decoded + self._new)[len(decode(self._tokenizer, self._decoded)) :]
        if self._stopped or not text or text.endswith(INCOMPLETE):
            return ""
        self._decoded = self._new
        self._new = []
        text = self._held + text
        self._stopped = truncate_at(text, self._stop) != text
        if self._stopped:
            return ""
        certain = text[: len(text) - max((_overlap(text, stop) for stop in self._stop), default=0)]
        self._held = text[len(certain) :]
        return certain


def decode(tokenizer: Any, ids: Sequence[int]) -> str:
    """Return the text of tokens without special ones."""
    return tokenizer.decode(ids, skip_special_tokens=True, clean_up_tokenization_spaces=False)


def truncate_at(text: str, stop: Sequence[str]) -> str:
    """Return the text up to the first stop sequence; the last token may reach beyond it."""
    return text[: min((at for each in stop if (at := text.find(each)) >= 0), default=len(text))]


def _overlap(text: str, stop: str) -> int:
    """Return how many characters at the end of the text are the beginning of the stop sequence."""
    return next((length for length in range(len(stop) - 1, 0, -1) if text.endswith(stop[:length])), 0)
