"""Parquet files that are made to hurt: a kilobyte that unpacks to gigabytes, and damaged ones."""

import io
from collections.abc import Sequence
from typing import Any

import pyarrow
import pyarrow.parquet

from . import Recipe
from .tables import LONG


def written(columns: dict[str, Any], **options: Any) -> bytes:
    """Return a Parquet file of Arrow arrays."""
    stream = io.BytesIO()
    pyarrow.parquet.write_table(pyarrow.table(columns), stream, **{"compression": "zstd"} | options)
    return stream.getvalue()


def large_text(size: int = 8_000_000) -> str:
    """Return a text that packs well."""
    return "a" * size


def repeated(rows: int = 256) -> Any:
    """Return a column that repeats a large text, which Arrow holds once."""
    return pyarrow.DictionaryArray.from_arrays(pyarrow.array([0] * rows, pyarrow.int32()), [large_text()])


def lists(values: Any, lengths: Sequence[int]) -> Any:
    """Return a column of lists of some lengths."""
    ends = [sum(lengths[:number]) for number in range(len(lengths) + 1)]
    return pyarrow.ListArray.from_arrays(pyarrow.array(ends, pyarrow.int32()), values)


def texts(rows: int) -> list[str]:
    """Return short texts."""
    return [f"text {number}" for number in range(rows)]


def nested(depth: int) -> Any:
    """Return a column with a list in a list in a list."""
    column = pyarrow.array([1])
    for _ in range(depth):
        column = lists(column, [1])
    return column


def without_page_header() -> bytes:
    """Return a file whose first page begins with bytes that are no header."""
    content = bytearray(written({"text": texts(10)}))
    content[4:12] = b"\xff" * 8
    return bytes(content)


def with_a_large_footer() -> bytes:
    """Return a file that says its footer has 100 MB."""
    return b"PAR1" + b"\0" * 100_000_100 + (100_000_000).to_bytes(4, "little") + b"PAR1"


PARQUET_FILES = [
    Recipe("a repeated text", "parquet", lambda: written({"text": repeated()}), LONG),
    Recipe(
        "a repeated text in a struct",
        "parquet",
        lambda: written({"text": texts(256), "s": pyarrow.StructArray.from_arrays([repeated()], ["t"])}),
        "",
    ),
    Recipe(
        "a repeated text in lists",
        "parquet",
        lambda: written({"text": texts(256), "s": lists(repeated(), [1] * 256)}),
        "",
    ),
    Recipe(
        "a repeated text in one list",
        "parquet",
        lambda: written({"text": ["a"], "s": lists(repeated(1000), [1000])}),
        "larger than",
    ),
    Recipe(
        "a repeated beginning",
        "parquet",
        lambda: written(
            {"text": [large_text()] * 64}, use_dictionary=False, column_encoding={"text": "DELTA_BYTE_ARRAY"}
        ),
        LONG,
    ),
    Recipe(
        "a repeated beginning in a list",
        "parquet",
        lambda: written(
            {"text": ["a"], "s": [[large_text()] * 64]},
            use_dictionary=False,
            column_encoding={"text": "PLAIN", "s.list.element": "DELTA_BYTE_ARRAY"},
        ),
        "lists of the Parquet column",
    ),
    Recipe(
        "pages that unpack to 300 MB",
        "parquet",
        lambda: written(
            {"text": ["a"]} | dict.fromkeys(map(str, range(30)), pyarrow.array([large_text(10_000_000)])),
            use_dictionary=False,
        ),
        "pages of a Parquet file would take",
    ),
    Recipe(
        "a list of nulls",
        "parquet",
        lambda: written({"text": ["a"], "s": lists(pyarrow.nulls(20_000_000, pyarrow.int8()), [20_000_000])}),
        "lists of the Parquet column",
    ),
    Recipe(
        "columns",
        "parquet",
        lambda: written(dict.fromkeys(["text", *map(str, range(5000))], pyarrow.array(["a"]))),
        "columns; at most",
    ),
    Recipe(
        "a deep column",
        "parquet",
        lambda: written({"text": ["a"], "n": nested(40)}),
        "nested more than 30 deep|not a Parquet file",
    ),
    Recipe("a row above the limit", "parquet", lambda: written({"text": [large_text(40_000_000)]}), "larger than"),
    Recipe("a page without a header", "parquet", without_page_header, "damaged"),
    Recipe("a large footer", "parquet", with_a_large_footer, "footer of 100,000,000 bytes"),
]
