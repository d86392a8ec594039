"""Parquet; needs the extra `parquet`."""

from collections.abc import Iterator, Sequence
from typing import IO, Any

from ...errors import InvalidInputError
from ...json_limits import MAX_VALUES
from .record import MAX_CHUNK_BYTES, MAX_LINE_BYTES, RESULT_FIELDS, VALUE_BYTES, Record, require_columns, shorten

BATCH_ROWS = 256
"""Rows held in memory at once, unless they are large."""

MAX_RECORD_BYTES = MAX_LINE_BYTES + MAX_VALUES * VALUE_BYTES
"""Memory of the largest record that is read: that of a line of the same content."""

MAX_READ_BYTES = 10_000_000_000
"""Memory of all records of a file together, or `MAX_EXPANSION` times its size if that is more."""

MAX_EXPANSION = 100

MAX_PENDING_BYTES = 4 * MAX_CHUNK_BYTES
"""Memory of the records that are held back until one with a prediction determines the types."""


def read(stream: IO[bytes], columns: Sequence[str]) -> Iterator[Record]:
    """Yield a record for each row.

    Raises:
        InvalidInputError: The file is damaged, lacks one of the columns or would take too much memory, or pyarrow is
            not installed.
    """
    arrow, parquet = _import_pyarrow()
    from . import parquet_limits as limits

    groups = limits.read_footer(stream)
    damages = (arrow.ArrowException, OSError)
    try:
        stream.seek(0)
        metadata = parquet.read_metadata(stream)
        dictionaries = limits.dictionary_columns(metadata.schema, metadata.num_columns, groups)
        # Without the last two options pyarrow holds a whole row group, often the whole file.
        table = parquet.ParquetFile(
            stream,
            metadata=metadata,
            read_dictionary=dictionaries,
            buffer_size=1 << 20,
            pre_buffer=False,
        )
        names = table.schema_arrow.names
    except (*damages, ValueError) as error:  # ValueError: a name is not UTF-8
        raise InvalidInputError(shorten(f"not a Parquet file: {error}")) from None
    limits.check_schema(table.schema_arrow, metadata.num_columns)
    require_columns(columns, names)
    if any(len(group.chunks) != metadata.num_columns for group in groups) or len(groups) != metadata.num_row_groups:
        raise InvalidInputError("a damaged Parquet file: its row groups lack columns")
    max_bytes = max(MAX_READ_BYTES, MAX_EXPANSION * stream.seek(0, 2))
    number = read_bytes = 0
    for place, group in enumerate(groups):
        rows = limits.rows_at_once(stream, metadata.schema, group, BATCH_ROWS)
        batches = table.iter_batches(batch_size=rows, row_groups=[place])
        while True:
            try:
                batch = next(batches, None)
            except damages as error:
                raise InvalidInputError(shorten(f"a damaged Parquet file: {error}")) from None
            if batch is None:
                break
            for record in _records(batch):
                number += 1
                read_bytes += record.size
                if read_bytes > max_bytes:
                    raise InvalidInputError(f"a Parquet file that unpacks to more than {max_bytes:,} bytes")
                record.number = number
                yield record


def _records(batch: Any) -> Iterator[Record]:
    """Yield the rows of an Arrow batch, converting as many at once as a chunk of records may hold."""
    from .parquet_limits import sizes_of_rows

    sizes = sizes_of_rows(batch)
    start, size = 0, 0
    for end in range(len(sizes) + 1):
        if end == len(sizes) or size + sizes[end] > MAX_CHUNK_BYTES:
            yield from _convert(batch.slice(start, end - start), sizes[start:end])
            start, size = end, 0
        if end < len(sizes):
            size += sizes[end]


def _convert(batch: Any, sizes: Sequence[int]) -> Iterator[Record]:
    if len(sizes) == 1 and sizes[0] > MAX_RECORD_BYTES:
        yield Record(0, error=f"larger than {MAX_RECORD_BYTES:,} bytes")
        return
    try:
        columns = [each.dictionary_decode() if hasattr(each, "dictionary") else each for each in batch.columns]
        values = zip(*(each.to_pylist() for each in columns), strict=True)
        rows = [dict(zip(batch.schema.names, row, strict=True)) for row in values]
    except (ValueError, LookupError, OverflowError, TypeError) as error:  # not UTF-8, or a time that Python has not
        if len(sizes) == 1:
            yield Record(0, error=shorten(f"cannot be read: {error}"))
            return
        for number, size in enumerate(sizes):
            yield from _convert(batch.slice(number, 1), [size])
        return
    for fields, size in zip(rows, sizes, strict=True):
        yield Record(0, fields=fields, size=size)


class ParquetWriter:
    """Writes the columns of the record, then `prediction` and `error`.

    The first rows with a prediction determine the types.
    """

    def __init__(self, stream: IO[bytes]) -> None:
        """Write to a binary stream."""
        self._arrow, self._parquet = _import_pyarrow()
        self._stream = stream
        self._rows: list[dict[str, Any]] = []
        self._bytes = 0
        self._file: Any = None

    def write(self, record: Record, prediction: Any) -> None:
        """Write the record as one row.

        Raises:
            InvalidInputError: Too many records in a row have no prediction, from the first one on.
        """
        self._rows.append({**record.fields, "prediction": prediction, "error": record.error})
        self._bytes += record.size
        if len(self._rows) < BATCH_ROWS and self._bytes <= MAX_CHUNK_BYTES:
            return
        if self._file or any(row["prediction"] is not None for row in self._rows):
            self._flush()
        elif self._bytes + VALUE_BYTES * len(self._rows) > MAX_PENDING_BYTES:
            message = f"the first {len(self._rows):,} records failed, so the types of a Parquet file are unknown"
            raise InvalidInputError(f"{message}: write another format; the last error is: {record.error}")

    def close(self) -> None:
        """Write the buffered rows and the footer."""
        if self._rows or self._file is None:
            self._flush()
        self._file.close()

    def _flush(self) -> None:
        try:
            if self._file is None:
                self._file = self._parquet.ParquetWriter(self._stream, self._schema())
            self._file.write_table(self._arrow.Table.from_pylist(self._rows, schema=self._file.schema))
        except (self._arrow.ArrowException, OverflowError) as error:
            raise InvalidInputError(f"a Parquet column holds values of one type: {error}") from None
        self._rows.clear()
        self._bytes = 0

    def _schema(self) -> Any:
        names = dict.fromkeys(name for row in self._rows for name in row if name not in RESULT_FIELDS)
        rows = [{name: row.get(name) for name in (*names, *RESULT_FIELDS)} for row in self._rows]
        schema = self._arrow.Table.from_pylist(rows).schema if rows else self._arrow.schema([])
        text = self._arrow.string()
        return self._arrow.schema([each.with_type(text) if str(each.type) == "null" else each for each in schema])


def _import_pyarrow() -> tuple[Any, Any]:
    try:
        import pyarrow
        import pyarrow.parquet
    except ImportError:
        raise InvalidInputError("Parquet files need pyarrow: install the extra called parquet") from None
    return pyarrow, pyarrow.parquet
