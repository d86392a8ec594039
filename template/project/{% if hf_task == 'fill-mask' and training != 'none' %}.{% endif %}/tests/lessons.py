"""Examples that a tiny model learns within seconds."""

import itertools
from typing import Any


def lessons() -> list[dict[str, Any]]:
    """Texts of three words, each said twice, so that one tells the other."""
    words = itertools.permutations(["happy", "dog", "runs", "rain", "sings", "paris"], 3)
    return [{"text": " ".join(f"{word} {word}" for word in three)} for three in words]
