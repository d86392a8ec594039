"""Parquet; needs the extra `parquet`."""

from collections.abc import Iterator, Sequence
from typing import IO, Any

from ...errors import InvalidInputError
from .record import RESULT_FIELDS, Record, require_columns

BATCH_ROWS = 256
"""Rows held in memory at once."""


def read(stream: IO[bytes], columns: Sequence[str]) -> Iterator[Record]:
    """Yield a record for each row.

    Raises:
        InvalidInputError: The file is damaged or lacks one of the columns, or pyarrow is not installed.
    """
    arrow, parquet = _import_pyarrow()
    try:
        # Without these two options pyarrow holds a whole row group, often the whole file.
        table = parquet.ParquetFile(stream, buffer_size=1 << 20, pre_buffer=False)
    except arrow.ArrowInvalid as error:
        raise InvalidInputError(f"not a Parquet file: {error}") from None
    require_columns(columns, table.schema_arrow.names)
    number = 0
    batches = table.iter_batches(batch_size=BATCH_ROWS)
    while True:
        try:
            batch = next(batches, None)
        except (arrow.ArrowException, OSError) as error:
            raise InvalidInputError(f"a damaged Parquet file: {error}") from None
        if batch is None:
            return
        for fields in batch.to_pylist():
            number += 1
            yield Record(number, fields=fields)


class ParquetWriter:
    """Writes the columns of the record, then `prediction` and `error`.

    The first rows with a prediction determine the types.
    """

    def __init__(self, stream: IO[bytes]) -> None:
        """Write to a binary stream."""
        self._arrow, self._parquet = _import_pyarrow()
        self._stream = stream
        self._rows: list[dict[str, Any]] = []
        self._file: Any = None

    def write(self, record: Record, prediction: Any) -> None:
        """Write the record as one row."""
        self._rows.append({**record.fields, "prediction": prediction, "error": record.error})
        if len(self._rows) >= BATCH_ROWS and (self._file or any(row["prediction"] is not None for row in self._rows)):
            self._flush()

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
