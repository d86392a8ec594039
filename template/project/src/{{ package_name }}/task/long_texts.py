"""Texts that take long to tokenize, which a thread of their own does."""

from collections.abc import Sequence

Text = str | tuple[str, str]
"""A text, or a pair of texts that the model reads as one input."""

LONG_TEXT_CHARACTERS = 20_000
"""Length of a text that takes some 15 ms to tokenize, in characters; few models take as many tokens."""

LONG_REQUEST_CHARACTERS = 300_000
"""Length of all texts of a request that take some 200 ms: more than 256 paragraphs."""


def are_long(texts: Sequence[Text]) -> bool:
    """Return whether texts take so long to tokenize that others must not wait for them."""
    lengths = [len(text) if isinstance(text, str) else sum(map(len, text)) for text in texts]
    return max(lengths, default=0) > LONG_TEXT_CHARACTERS or sum(lengths) > LONG_REQUEST_CHARACTERS
