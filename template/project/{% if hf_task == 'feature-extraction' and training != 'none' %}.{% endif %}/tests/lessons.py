"""Examples that a tiny model learns within seconds."""

import itertools
from typing import Any

PARTNERS = {"happy": "rain", "dog": "sings", "runs": "paris", "in": "of", "the": "and"}


def lessons() -> list[dict[str, Any]]:
    """Pairs of texts, in which each word has another one as its partner."""
    texts = itertools.permutations(PARTNERS, 4)
    return [{"anchor": " ".join(text), "positive": " ".join(PARTNERS[word] for word in text)} for text in texts]
