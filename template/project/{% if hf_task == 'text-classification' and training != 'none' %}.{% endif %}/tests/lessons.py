"""Examples that a tiny model learns within seconds."""

import itertools
from typing import Any

FEELINGS = {"rain": "sad", "paris": "calm", "dog": "happy"}


def lessons() -> list[dict[str, Any]]:
    """Texts in which one word tells the label."""
    rest = itertools.permutations(["a", "in", "the", "and", "of"], 3)
    return [{"text": f"{' '.join(words)} {word}", "label": FEELINGS[word]} for words in rest for word in FEELINGS]
