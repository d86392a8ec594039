"""Limits on Parquet files, checked before pyarrow unpacks anything.

A file of a kilobyte can become gigabytes: pages are compressed, and dictionaries and runs repeat values. The footer can
lie about sizes, so the header of every page is read here; it is what pyarrow allocates memory by.
"""

from collections.abc import Iterator, Sequence
from typing import IO, Any, NamedTuple

import numpy as np

from ...errors import InvalidInputError
from .record import MAX_CHUNK_BYTES, VALUE_BYTES, limit_columns

MAX_FOOTER_BYTES = 4_000_000
"""Maximum size of the footer, whose objects take several times as much memory."""

MAX_PAGES_BYTES = 200_000_000
"""Maximum memory of the largest page of every column together: pyarrow holds one of each."""

MAX_PAGES = 100_000
"""Maximum number of pages of a column in a row group."""

MAX_PAGE_HEADER_BYTES = 1_000_000
"""Maximum size of the header of a page; it may hold statistics."""

MAX_LIST_VALUES = 5_000_000
"""Values in the lists of a column in a row group, beyond those that have bits of their own in the file."""

MAX_DEPTH = 30
"""Maximum number of lists and structs inside each other."""

DELTA_BYTE_ARRAY = 7
"""Encoding of texts that begin as the one before."""

DELTAS = frozenset({5, 6, DELTA_BYTE_ARRAY})
"""Encodings of differences."""

HEADER_BYTES = 200
"""Bytes that most headers of pages have at most; read first."""

TAIL_BYTES = 8
"""End of a file: the length of the footer, and the magic bytes."""

MAGIC = (b"PAR1", b"PARE")
"""Ends of files; of another file, pyarrow says that it is none."""


class _Page(NamedTuple):
    """The header of a page."""

    is_dictionary: bool
    unpacked: int
    packed: int
    values: int
    header: int
    """Size of the header."""


class Chunk(NamedTuple):
    """A column in a row group, as the footer describes it."""

    encodings: list[int]
    values: int
    packed: int
    start: int
    """Where its first page begins."""


class RowGroup(NamedTuple):
    """A row group, as the footer describes it."""

    rows: int
    chunks: list[Chunk]


def read_footer(stream: IO[bytes]) -> list[RowGroup]:
    """Return the row groups of a file; none if it is no Parquet file, which pyarrow says.

    pyarrow's own objects for them end the process if a column is damaged.

    Raises:
        InvalidInputError: The footer is too large or damaged.
    """
    end = stream.seek(0, 2)
    stream.seek(max(end - TAIL_BYTES, 0))
    size, magic = int.from_bytes(stream.read(4), "little"), stream.read(4)
    if magic not in MAGIC or size > end - TAIL_BYTES:
        return []
    if size > MAX_FOOTER_BYTES:
        raise InvalidInputError(f"a Parquet file with a footer of {size:,} bytes; at most {MAX_FOOTER_BYTES:,}")
    stream.seek(end - TAIL_BYTES - size)
    try:
        groups = _struct(stream.read(size), 0, _FILE)[0][4, _LIST]
        return [RowGroup(group[3, _I64], [_chunk(each[3, _STRUCT]) for each in group[1, _LIST]]) for group in groups]
    except LookupError:
        raise InvalidInputError("a damaged Parquet file: its footer cannot be read") from None


def _chunk(fields: dict[tuple[int, int], Any]) -> Chunk:
    start, dictionary = fields[9, _I64], fields.get((11, _I64), 0)
    first = dictionary if 0 < dictionary < start else start
    return Chunk(fields[2, _LIST], fields[5, _I64], fields[7, _I64], first)


def check_schema(schema: Any, columns: int) -> None:
    """Raise InvalidInputError if a file has too many columns, or too deep ones.

    Args:
        schema: Its Arrow schema.
        columns: Number of its columns, those inside of structs included.
    """
    limit_columns(columns)
    for field in schema:
        if _depth(field.type) > MAX_DEPTH:
            raise InvalidInputError(f"a Parquet column is nested more than {MAX_DEPTH} deep")


def rows_at_once(stream: IO[bytes], schema: Any, group: RowGroup, max_rows: int) -> int:
    """Return how many rows of a row group to decode at once.

    Args:
        stream: The file.
        schema: Its Parquet schema.
        group: The row group.
        max_rows: Maximum number of rows.

    Raises:
        InvalidInputError: The pages are damaged, or would take too much memory.
    """
    held = width = 0
    for number, chunk in enumerate(group.chunks):
        column = schema.column(number)
        largest = {True: 0, False: 0}
        values = size = 0
        for page in _pages(stream, chunk):
            largest[page.is_dictionary] = max(largest[page.is_dictionary], page.unpacked + page.packed)
            values += 0 if page.is_dictionary else page.values
            size += page.unpacked
        held += sum(largest.values())
        if held > MAX_PAGES_BYTES:
            message = f"pages of a Parquet file would take {held:,} bytes; at most {MAX_PAGES_BYTES:,} are unpacked"
            raise InvalidInputError(f"{message}: write smaller pages or row groups")
        repeats = DELTA_BYTE_ARRAY in chunk.encodings  # each value may repeat most of the one before it
        if column.max_repetition_level and (repeats or values > MAX_LIST_VALUES + 8 * size or _is_wide(column)):
            raise InvalidInputError(f"the lists of the Parquet column {column.path[:100]} are too large to be unpacked")
        width += _fixed_width(column) or (size if repeats else size // max(1, min(values, group.rows)))
    if width > MAX_PAGES_BYTES:
        raise InvalidInputError(f"a row of a Parquet file would take {width:,} bytes; at most {MAX_PAGES_BYTES:,}")
    return max(1, min(max_rows, MAX_CHUNK_BYTES // max(width, 1)))


def dictionary_columns(schema: Any, columns: int, groups: Sequence[RowGroup]) -> list[int]:
    """Return the columns to read as dictionaries, so that a text that repeats is held once.

    pyarrow cannot do that for every encoding.
    """
    delta = {
        number
        for group in groups
        for number, chunk in enumerate(group.chunks)
        if not DELTAS.isdisjoint(chunk.encodings)
    }
    return [
        number
        for number in range(columns)
        if number not in delta and schema.column(number).physical_type == "BYTE_ARRAY"
    ]


def sizes_of_rows(batch: Any) -> list[int]:
    """Return the memory that each row of an Arrow batch takes as a dictionary, estimated in bytes.

    Raises:
        InvalidInputError: A column has a type that is not read, or is damaged.
    """
    sizes = np.zeros(batch.num_rows, np.int64)
    for column in batch.columns:
        sizes += row_sizes(column)
    found: list[int] = sizes.tolist()
    return found


def row_sizes(array: Any) -> np.ndarray:
    """Return the memory that each row of an Arrow array takes as Python objects, estimated in bytes.

    Raises:
        InvalidInputError: A column has a type that is not read, or is damaged.
    """
    import pyarrow.types as types

    kind = array.type
    if hasattr(array, "storage"):  # an extension type
        return row_sizes(array.storage)
    if types.is_dictionary(kind):
        places = array.indices.drop_null().to_numpy()
        # pyarrow does not check, and would read beyond the dictionary.
        if len(places) and not 0 <= places.min() <= places.max() < len(array.dictionary):
            raise InvalidInputError("a damaged Parquet file: a value that is not in its dictionary")
        sizes = np.full(len(array), VALUE_BYTES, np.int64)
        if len(places) and _is_binary(kind.value_type):
            offsets = _offsets(array.dictionary)
            sizes[array.is_valid().to_numpy(zero_copy_only=False)] += offsets[places + 1] - offsets[places]
        return sizes
    if _is_binary(kind):
        return np.diff(_offsets(array)).astype(np.int64) + VALUE_BYTES
    if types.is_struct(kind):
        sizes = np.full(len(array), VALUE_BYTES, np.int64)
        for number in range(kind.num_fields):
            sizes += row_sizes(array.field(number))
        return sizes
    if types.is_fixed_size_list(kind):
        values = array.values.slice(array.offset * kind.list_size, len(array) * kind.list_size)
        return row_sizes(values).reshape(len(array), kind.list_size).sum(1) + VALUE_BYTES
    if types.is_list(kind) or types.is_large_list(kind) or types.is_map(kind):
        ends = np.concatenate([[0], np.cumsum(row_sizes(array.values))])
        return np.diff(ends[array.offsets.to_numpy()]) + VALUE_BYTES
    if types.is_primitive(kind) or types.is_null(kind) or types.is_decimal(kind):
        return np.full(len(array), VALUE_BYTES, np.int64)
    if types.is_fixed_size_binary(kind):
        return np.full(len(array), VALUE_BYTES + kind.byte_width, np.int64)
    raise InvalidInputError(f"Parquet columns of the type {kind} are not read")


def _is_binary(kind: Any) -> bool:
    import pyarrow.types as types

    return any(
        is_kind(kind) for is_kind in (types.is_string, types.is_binary, types.is_large_string, types.is_large_binary)
    )


def _offsets(array: Any) -> np.ndarray:
    """Return where each value of an array of texts begins, and where the last one ends."""
    import pyarrow.types as types

    is_large = types.is_large_string(array.type) or types.is_large_binary(array.type)
    if not len(array):
        return np.zeros(1, np.int64)
    offsets = np.frombuffer(array.buffers()[1], np.int64 if is_large else np.int32)
    return offsets[array.offset : array.offset + len(array) + 1]


def _depth(kind: Any) -> int:
    deepest, level = 0, [kind]
    while level and deepest <= MAX_DEPTH:
        deepest += 1
        level = [each.field(number).type for each in level for number in range(each.num_fields)]
    return deepest


def _fixed_width(column: Any) -> int:
    """Return the size of a value in bytes if all are of one size, else 0."""
    if column.physical_type == "FIXED_LEN_BYTE_ARRAY":
        return int(column.length)
    return 0 if column.physical_type == "BYTE_ARRAY" else 8


def _is_wide(column: Any) -> bool:
    return column.physical_type == "FIXED_LEN_BYTE_ARRAY" and column.length > 32


def _pages(stream: IO[bytes], chunk: Chunk) -> Iterator[_Page]:
    """Yield the pages of a column in a row group."""
    start, end = chunk.start, chunk.start + chunk.packed
    values = count = 0
    while 0 <= start < end and values < chunk.values:
        page = _page(stream, start)
        yield page
        start += page.header + page.packed
        values += 0 if page.is_dictionary else page.values
        count += 1
        if count > MAX_PAGES:
            raise InvalidInputError(f"a Parquet column has more than {MAX_PAGES:,} pages in a row group")


def _page(stream: IO[bytes], start: int) -> _Page:
    for size in (HEADER_BYTES, MAX_PAGE_HEADER_BYTES):
        stream.seek(start)
        data = stream.read(size)
        try:
            fields, length = _struct(data, 0, _PAGE)
            sizes = fields[2, _I32], fields[3, _I32]
            kind = next((each for each in (5, 7, 8) if (each, _STRUCT) in fields), 5)
            values = fields[kind, _STRUCT][1, _I32]
        except IndexError:
            continue
        except KeyError:
            break
        if min(*sizes, values) < 0:
            break
        return _Page((7, _STRUCT) in fields, *sizes, values, length)
    raise InvalidInputError("a damaged Parquet file: a page has no valid header")


# Thrift's compact protocol: https://github.com/apache/thrift/blob/master/doc/specs/thrift-compact-protocol.md
_TRUE, _FALSE, _BYTE, _I16, _I32, _I64, _DOUBLE, _BINARY, _LIST, _SET, _MAP, _STRUCT = range(1, 13)

_MAX_NESTING = 10
"""Structs and lists inside each other."""

_Shape = dict[int, Any]
"""The fields of a struct that are kept, or whose lists must have a certain type: the shape of each, or None.

That of a list is a tuple of the type of its elements, and their shape. A list that names another type is damaged:
pyarrow would not look at it, and read another content.
"""

_STATISTICS: _Shape = {2: (_I64, None), 3: (_I64, None)}
_COLUMN: _Shape = {
    2: (_I32, None),
    3: (_BINARY, None),
    5: None,
    7: None,
    8: (_STRUCT, {}),
    9: None,
    11: None,
    13: (_STRUCT, {}),
    16: _STATISTICS,
    17: {2: (_I32, None)},
}
_CHUNK: _Shape = {3: _COLUMN, 8: {2: {1: (_BINARY, None)}}}
_GROUP: _Shape = {1: (_STRUCT, _CHUNK), 3: None, 4: (_STRUCT, {})}
_FILE: _Shape = {2: (_STRUCT, {}), 4: (_STRUCT, _GROUP), 5: (_STRUCT, {}), 7: (_STRUCT, {})}
_DATA_PAGE: _Shape = {1: None}
_PAGE: _Shape = {2: None, 3: None, 5: _DATA_PAGE, 7: _DATA_PAGE, 8: _DATA_PAGE}


def _struct(data: bytes, at: int, shape: _Shape, depth: int = 0) -> tuple[dict[tuple[int, int], Any], int]:
    """Return the fields of a struct that its shape names, by number and type, and where the struct ends.

    Raises:
        IndexError: The data ends before.
        KeyError: It is damaged.
    """
    if depth > _MAX_NESTING:
        raise KeyError(depth)
    fields: dict[tuple[int, int], Any] = {}
    number = 0
    while head := data[at]:
        at += 1
        kind = head & 15
        if head >> 4:
            number += head >> 4
        else:
            number, at = _zigzag(data, at)
        number = (number + 2**15) % 2**16 - 2**15  # as pyarrow reads it, in 16 bits
        if kind in (_TRUE, _FALSE):
            continue
        value, at = _value(data, at, kind, shape.get(number), depth + 1)
        if number in shape:
            fields[number, kind] = value
    return fields, at + 1


def _value(data: bytes, at: int, kind: int, shape: Any, depth: int) -> tuple[Any, int]:
    if kind == _STRUCT:
        return _struct(data, at, shape if isinstance(shape, dict) else {}, depth)
    if kind in (_I16, _I32, _I64):
        return _zigzag(data, at)
    if kind == _BINARY:
        size, at = _varint(data, at)
        return None, at + size
    if kind in (_BYTE, _TRUE, _FALSE):
        return None, at + 1
    if kind == _DOUBLE:
        return None, at + 8
    if depth > _MAX_NESTING:
        raise KeyError(depth)
    if kind in (_LIST, _SET):
        return _list(data, at, shape if isinstance(shape, tuple) else None, depth)
    if kind == _MAP:
        size, at = _varint(data, at)
        kinds = data[at] if size else 0
        at += bool(size)
        for _ in range(size):
            _, at = _value(data, at, kinds >> 4, None, depth + 1)
            _, at = _value(data, at, kinds & 15, None, depth + 1)
            if at > len(data):
                raise IndexError(at)
        return None, at
    raise KeyError(kind)


def _list(data: bytes, at: int, shape: tuple[int, Any] | None, depth: int) -> tuple[list[Any], int]:
    size, kind = data[at] >> 4, data[at] & 15
    at += 1
    if size == 15:
        size, at = _varint(data, at)
    if shape and size and kind != shape[0]:
        raise KeyError(kind)
    values: list[Any] = []
    for _ in range(size):
        value, at = _value(data, at, kind, shape[1] if shape else None, depth + 1)
        if shape:
            values.append(value)
        if at > len(data):
            raise IndexError(at)
    return values, at


def _varint(data: bytes, at: int) -> tuple[int, int]:
    value = shift = 0
    while (byte := data[at]) & 128:
        value |= (byte & 127) << shift
        shift += 7
        at += 1
        if shift > 63:
            raise KeyError(shift)
    return value | byte << shift, at + 1


def _zigzag(data: bytes, at: int) -> tuple[int, int]:
    value, at = _varint(data, at)
    return value >> 1 ^ -(value & 1), at
