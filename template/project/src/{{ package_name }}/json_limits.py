"""Limits on JSON that others send, checked before it is parsed: a small text can become large objects."""

import re
from array import array
from collections.abc import Mapping
from itertools import accumulate
from typing import Any

from pydantic_core import PydanticCustomError

MAX_VALUES = 250_000
"""Maximum number of values in one JSON text. Python holds up to 100 bytes for a value of three characters."""

MAX_DEPTH = 400
"""Maximum number of arrays and objects inside each other. Python reads and writes some 1,000 at most."""

MAX_FIELDS = 1000
"""Maximum number of fields of an object whose fields have a meaning. Each unknown one is an error of its own."""

_STRING = re.compile(rb'"[^"\\]*+(?:\\.[^"\\]*+)*+\\?(?:"|\Z)', re.DOTALL)
_STEPS = bytes.maketrans(b"[{]}", b"\x01\x01\xff\xff")  # 1 and -1
_NO_BRACKETS = bytes(set(range(256)) - set(b"[{]}"))


def count_values(text: bytes) -> int:
    """Return an upper bound of the number of values in a JSON text; takes milliseconds for 10 MB."""
    return text.count(b",") + text.count(b"[") + text.count(b"{") + 1


def json_problem(text: bytes) -> str | None:
    """Return why a JSON text must not be parsed, or None. Whether it is valid JSON is left to the parser."""
    openings = text.count(b"[") + text.count(b"{")
    if openings <= MAX_DEPTH and count_values(text) <= MAX_VALUES:
        return None
    bare, strings = _STRING.subn(b"", text, 2 * MAX_VALUES + 1)  # brackets and commas inside of strings are no values
    steps = array("b", bare.translate(_STEPS, _NO_BRACKETS)[: 2 * MAX_VALUES])
    if max(accumulate(steps), default=0) > MAX_DEPTH:
        return f"nested more than {MAX_DEPTH} deep"
    if strings > 2 * MAX_VALUES or count_values(bare) > MAX_VALUES:
        return f"more than {MAX_VALUES:,} values"
    return None


def check_fields(given: Mapping[str, Any]) -> None:
    """Refuse an object of too many fields, before each is compared with the known ones.

    Raises:
        PydanticCustomError: It has more than MAX_FIELDS.
    """
    if len(given) > MAX_FIELDS:
        message = "{count} fields exceed the limit of {limit}"
        raise PydanticCustomError("too_many_fields", message, {"count": len(given), "limit": MAX_FIELDS})
