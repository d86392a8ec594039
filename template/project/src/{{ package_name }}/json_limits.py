"""Limits on JSON that others send, checked before it is parsed: a small text can become large objects."""

import re

MAX_VALUES = 250_000
"""Maximum number of values in one JSON text. Python holds up to 100 bytes for a value of three characters."""

MAX_DEPTH = 400
"""Maximum number of arrays and objects inside each other. Python reads and writes some 1,000 at most."""

_TOKEN = re.compile(rb'"[^"\\]*+(?:\\.[^"\\]*+)*+\\?(?:"|\Z)|[][{},]', re.DOTALL)


def count_values(text: bytes) -> int:
    """Return an upper bound of the number of values in a JSON text; takes milliseconds for 10 MB."""
    return text.count(b",") + text.count(b"[") + text.count(b"{") + 1


def json_problem(text: bytes) -> str | None:
    """Return why a JSON text must not be parsed, or None. Whether it is valid JSON is left to the parser."""
    openings = text.count(b"[") + text.count(b"{")
    if openings <= MAX_DEPTH and count_values(text) <= MAX_VALUES:
        return None
    values, strings, depth = 1, 0, 0
    for token in _TOKEN.finditer(text):  # brackets and commas inside of strings are no values
        match text[token.start()]:
            case 0x22:  # a quote
                strings += 1
            case 0x2C:  # a comma
                values += 1
            case 0x5B | 0x7B:  # [ {
                values += 1
                depth += 1
            case _:
                depth -= 1
        if values > MAX_VALUES or strings > 2 * MAX_VALUES:
            return f"more than {MAX_VALUES:,} values"
        if depth > MAX_DEPTH:
            return f"nested more than {MAX_DEPTH} deep"
        if depth < 0:  # no JSON
            break
    return None
