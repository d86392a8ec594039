"""Text and JSON that every supported database holds.

PostgreSQL has no text with NUL, UTF-8 has no lone surrogate, and JSON has neither NaN nor infinity. What a client sends
is refused with the place of it; what the program itself records is replaced, so that it is never lost.
"""

import math
import re
from collections.abc import Mapping, Sequence
from typing import Any

from pydantic_core import from_json, to_json

UNSTORABLE = re.compile("[\x00\ud800-\udfff]")

REPLACEMENT = "\ufffd"

MAX_DEPTH = 100
"""Maximum nesting of JSON that a client sends."""


def clean_text(text: str) -> str:
    """Return a text in which U+FFFD replaces NUL and lone surrogates, as decoders write what they cannot read."""
    return UNSTORABLE.sub(REPLACEMENT, text)


def find_unstorable(name: str, value: Any) -> str | None:
    """Return where and why JSON-compatible values cannot be stored, in one line, or None.

    Args:
        name: Name of the value in the message.
        value: What `json.loads` may return.
    """
    found = [(name, value, 0)]
    while found:  # no recursion: a client chooses the depth
        place, each, depth = found.pop()
        if depth > MAX_DEPTH:
            return f"{name}: nested more than {MAX_DEPTH} levels deep"
        if isinstance(each, str):
            if UNSTORABLE.search(each):
                return f"{clean_text(place)}: contains NUL or a lone surrogate"
        elif isinstance(each, float):
            if not math.isfinite(each):
                return f"{clean_text(place)}: is not a finite number"
        elif isinstance(each, Mapping):
            found += [(place, key, depth) for key in each]
            found += [(f"{place}.{key}" if depth < 3 else place, part, depth + 1) for key, part in each.items()]
        elif isinstance(each, Sequence):
            found += [(place, part, depth + 1) for part in each]
    return None


def encode_json(value: Any) -> str:
    """Return a value as JSON, with U+FFFD for NUL and lone surrogates, and null for NaN and infinity.

    Raises:
        ValueError: The value is not JSON-compatible.
    """
    try:
        text = to_json(value, inf_nan_mode="null").decode()
    except ValueError:  # a lone surrogate, if it is not the type
        text = to_json(_clean(value), inf_nan_mode="null").decode()
    return to_json(_clean(from_json(text))).decode() if r"\u0000" in text else text


def _clean(value: Any) -> Any:
    if isinstance(value, str):
        return clean_text(value)
    if isinstance(value, Mapping):
        return {_clean(key): _clean(each) for key, each in value.items()}
    is_sequence = isinstance(value, Sequence) and not isinstance(value, bytes)
    return [_clean(each) for each in value] if is_sequence else value
