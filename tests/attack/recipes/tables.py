"""Tables that are made to hurt: small files that become large objects, or take time that is not in proportion."""

from . import Recipe

LINES = 12
"""Lines of a file whose chunk is to be too large. Each is below the limit of a line, 10 MB."""

LONG = "longer than 1,000,000 characters"


def line(piece: bytes, begin: bytes = b"", end: bytes = b"", size: int = 9_000_000) -> bytes:
    """Return a line of `size` bytes that repeats a piece."""
    return begin + piece * ((size - len(begin) - len(end)) // len(piece)) + end + b"\n"


def text_of_commas() -> bytes:
    """Return lines whose text has more commas and brackets than a line may have values, which is fine."""
    return line(b"[a], {b}; ", b'{"text": "', b'"}', 900_000) * 12


def unique_keys() -> bytes:
    """Return an object of many keys."""
    keys = b",".join(b'"%x":1' % number for number in range(800_000))
    return b'{"text": "a",' + keys + b"}\n"


TABLES = [
    Recipe(
        "objects", "jsonl", lambda: line(b"{},", b'{"text": "a", "n": [', b"{}]}") * LINES, "more than 250,000 values"
    ),
    Recipe(
        "lists", "jsonl", lambda: line(b"[],", b'{"text": "a", "n": [', b"[]]}") * LINES, "more than 250,000 values"
    ),
    Recipe(
        "numbers", "jsonl", lambda: line(b"1.5,", b'{"text": "a", "n": [', b"1]}") * LINES, "more than 250,000 values"
    ),
    Recipe("keys", "jsonl", unique_keys, "more than 250,000 values"),
    Recipe("empty strings", "jsonl", lambda: line(b'""', b"[]" * 401), "more than 250,000 values|deep"),
    Recipe("same keys", "jsonl", lambda: line(b'"n":"",', b"{", b'"text": "a"}') * LINES, "more than 250,000 values"),
    Recipe("brackets", "jsonl", lambda: line(b"["), "nested more than 400 deep"),
    Recipe("deep", "jsonl", lambda: b"[" * 900 + b"]" * 900 + b"\n", "nested more than 400 deep"),
    Recipe("closing brackets", "jsonl", lambda: b"[" * 500 + line(b"]"), "nested more than 400 deep"),
    Recipe("only closing brackets", "jsonl", lambda: line(b"]"), "not JSON"),
    Recipe("digits", "jsonl", lambda: b'{"text": "a", "n": ' + b"9" * 10_000 + b"}\n", "not JSON"),
    Recipe("9 MB of digits", "jsonl", lambda: line(b"9", b'{"text": "a", "n": ', b".0}"), ""),
    Recipe("escaped quotes", "jsonl", lambda: line(rb"\"", b'{"text": "'), "not JSON"),
    Recipe("escaped quotes with brackets", "jsonl", lambda: line(rb"\"[", b'{"text": "'), "not JSON"),
    Recipe("quotes", "jsonl", lambda: line(b'"'), "not JSON"),
    Recipe("large texts", "jsonl", lambda: line(b"a b ", b'{"text": "', b'"}') * LINES, LONG),
    Recipe("text of commas", "jsonl", text_of_commas, ""),
    Recipe("quoted lines", "csv", lambda: b'text\n"' + b'a ""quoted"" line\n' * 2_400_000 + b'"\n', "a quote missing"),
    Recipe("lines of quotes", "csv", lambda: b"text\n" + b'"\n"' * 6_000_000 + b"\n", "a quote missing"),
    Recipe(
        "names", "csv", lambda: b",".join(b"n%d" % each for each in range(200_000)) + b"\n" + b"1\n" * 100, "columns"
    ),
    Recipe("fields", "csv", lambda: b"text\n" + line(b"ab,") * LINES, "more than 250,000 commas"),
    Recipe("fields of many lines", "csv", lambda: b"text\n" + b'"ab\n",' * 1_000_000, "a quote missing"),
    Recipe("short rows", "csv", lambda: b"text,n\n" + b"a\n" * 100_000, "1 fields, not 2"),
    Recipe("large rows", "csv", lambda: b"text\n" + line(b"a b ") * LINES, LONG),
    Recipe("large lines", "lines", lambda: line(b"a b ") * LINES, LONG),
    Recipe("a line without an end", "lines", lambda: b"a" * 50_000_000, "longer than 10,000,000 bytes"),
]
