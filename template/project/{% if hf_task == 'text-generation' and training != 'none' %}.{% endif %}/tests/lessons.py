"""Examples that a tiny model learns within seconds."""

import itertools
from typing import Any


def lessons() -> list[dict[str, Any]]:
    """Texts of a few letters."""
    return [{"text": f"{''.join(letters)} sings"} for letters in itertools.permutations("abcde", 4)]
