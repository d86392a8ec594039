"""Formats of records."""

import io
import json
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as some

from my_project.batch.formats import Format, open_writer, parquet, read_records, record
from my_project.batch.formats.record import Record
from my_project.batch.predict import replace_file
from my_project.errors import InvalidInputError

pyarrow = pytest.importorskip("pyarrow", reason="only some projects have the extra `parquet`")
parquet_library = pytest.importorskip("pyarrow.parquet", reason="only some projects have the extra `parquet`")


def errors(content: bytes, form: Format) -> list[tuple[int, str | None]]:
    """Return the number and error of each record."""
    return [(each.number, each.error) for each in read_records(io.BytesIO(content), form, "text")]


def test_lines_may_have_any_ending_and_a_byte_order_mark() -> None:
    read = read_records(io.BytesIO(b"\xef\xbb\xbfone\r\ntwo\nthree"), "lines", "text")
    assert [each.text for each in read] == ["one", "two", "three"]


def test_bytes_that_are_not_utf8_affect_one_record() -> None:
    assert errors(b"one\n\xff\nthree\n", "lines") == [(1, None), (2, "not UTF-8"), (3, None)]


def test_a_huge_line_is_skipped_without_being_held(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(record, "MAX_LINE_BYTES", 10)
    found = errors(b"one\n" + b"x" * 1000 + b"\nthree\n", "lines")
    assert [number for number, error in found if error] == [2]


def test_jsonl_may_hold_strings() -> None:
    assert [each.text for each in read_records(io.BytesIO(b'"one"\n'), "jsonl", "text")] == ["one"]


def test_deeply_nested_json_is_an_error_of_its_line() -> None:
    found = errors(b"[" * 100_000 + b"\n" + b'{"text": "two"}\n', "jsonl")
    assert [bool(error) for _, error in found] == [True, False]


def test_csv_fields_may_hold_line_breaks_and_a_short_row_is_an_error() -> None:
    found = list(read_records(io.BytesIO(b'text,id\n"one\nmore",1\ntwo\nthree,3\n'), "csv", "text"))
    assert [each.text for each in found] == ["one\nmore", "two", "three"]
    assert [each.error for each in found] == [None, "1 fields, not 2", None]


@pytest.mark.parametrize(
    ("form", "content"),
    [
        ("lines", "a b\tc\td\n"),
        ("jsonl", '{"query": "a b", "text": "c\\td", "id": 1}\n'),
        ("jsonl", '["a b", "c\\td"]\n'),
        ("csv", "id,query,text\n1,a b,c\td\n"),
    ],
)
def test_the_texts_of_several_columns_are_a_json_array(form: Format, content: str) -> None:
    [found] = read_records(io.BytesIO(content.encode()), form, ["query", "text"])
    assert (json.loads(found.text), found.error) == (["a b", "c\td"], None)
    assert found.fields["query"] == "a b"


def test_a_record_that_lacks_one_of_several_columns_has_an_error() -> None:
    content = b'{"query": "a"}\n{"query": "a", "text": 5}\n{"query": " ", "text": "b"}\n["a"]\n"a"\n'
    found = [each.error for each in read_records(io.BytesIO(content), "jsonl", ["query", "text"])]
    assert found == ["no text", "no string in text", "empty", "no text", "no text"]
    with pytest.raises(InvalidInputError, match="no column called text among query"):
        list(read_records(io.BytesIO(b"query\na\n"), "csv", ["query", "text"]))


def test_an_empty_file_has_no_records() -> None:
    forms: tuple[Format, ...] = ("lines", "jsonl", "csv")
    for form in forms:
        assert errors(b"", form) == []


def test_a_csv_without_the_column_is_refused() -> None:
    with pytest.raises(InvalidInputError, match="no column called text among a, b"):
        errors(b"a,b\n1,2\n", "csv")


def test_a_bad_first_record_loses_no_column(tmp_path: Path) -> None:
    content = b"text,id\nshort\nhello,7\n\nM\xfcller,8\nbye,9\n"
    found = list(read_records(io.BytesIO(content), "csv", "text"))
    assert [each.error for each in found] == ["1 fields, not 2", None, "not UTF-8", None]
    forms: tuple[Format, ...] = ("csv", "parquet")
    for form in forms:
        stream = io.BytesIO()
        writer = open_writer(stream, form)
        for each in found:
            writer.write(each, None if each.error else [0.5])
        writer.close()
        again = list(read_records(io.BytesIO(stream.getvalue()), form, "text"))
        assert [each.fields["id"] for each in again][1] == "7"
        assert all("prediction" not in each.fields for each in again), "an earlier outcome is no field"


def test_json_has_no_surrogates_no_huge_numbers_and_no_nan() -> None:
    content = b'{"text": "\\ud800"}\n{"text": "a", "n": ' + b"9" * 5000 + b'}\n{"text": "a", "n": NaN}\n{"text": "a"}\n'
    assert [bool(error) for _, error in errors(content, "jsonl")] == [True, True, True, False]


def test_values_of_changing_type_are_refused_in_one_line() -> None:
    writer = open_writer(io.BytesIO(), "parquet")
    for value in (1, "x"):
        writer.write(Record(1, "a", {"n": value}), [0.5])
    with pytest.raises(InvalidInputError, match="values of one type"):
        writer.close()


def test_parquet_keeps_columns_and_types() -> None:
    stream = io.BytesIO()
    writer = open_writer(stream, "parquet")
    for number in range(parquet.BATCH_ROWS + 1):
        writer.write(Record(number, "a", {"text": "a", "id": number}), [0.5, 1.5])
    writer.close()
    read = list(read_records(io.BytesIO(stream.getvalue()), "parquet", "text"))
    assert [each.fields["id"] for each in read] == list(range(parquet.BATCH_ROWS + 1))
    assert parquet_library.read_table(stream)["prediction"].to_pylist()[-1] == [0.5, 1.5]


def test_a_file_is_replaced_completely_or_not_at_all(tmp_path: Path) -> None:
    path = tmp_path / "out.txt"
    path.write_bytes(b"before")
    with pytest.raises(RuntimeError), replace_file(path) as stream:
        stream.write(b"half")
        raise RuntimeError
    assert path.read_bytes() == b"before"
    with replace_file(path) as stream:
        stream.write(b"after")
    assert path.read_bytes() == b"after"
    assert list(tmp_path.iterdir()) == [path]


PIECES = [
    b'"',
    b",",
    b"\n",
    b"\r",
    b"[",
    b"]",
    b"{",
    b"}",
    b":",
    b"\\",
    b"\xff",
    b"\0",
    b"text",
    b"1e999",
    b" ",
    b"\xef\xbb\xbf",
]


@given(
    form=some.sampled_from(["lines", "csv", "jsonl"]),
    content=some.lists(some.sampled_from(PIECES) | some.binary(max_size=3), max_size=30).map(b"".join),
)
def test_any_bytes_are_records_that_can_be_written_or_one_refusal(form: Format, content: bytes) -> None:
    writer = open_writer(io.BytesIO(), form)
    try:
        for each in read_records(io.BytesIO(b"text\n" * (form == "csv") + content), form, "text"):
            assert each.error or each.text
            writer.write(each, 0.5)
        writer.close()
    except InvalidInputError as error:
        assert "\n" not in str(error)


@settings(deadline=None)
@given(some.data())
def test_a_damaged_parquet_file_is_records_or_one_refusal(data: some.DataObject) -> None:
    stream = io.BytesIO()
    rows = [{"text": f"text {number}", "lists": [["a", "b"]], "struct": {"a": number}} for number in range(30)]
    parquet_library.write_table(pyarrow.Table.from_pylist(rows), stream, compression="none")
    content = bytearray(stream.getvalue())
    for place in data.draw(some.lists(some.integers(0, len(content) - 1), min_size=1, max_size=4)):
        content[place] = data.draw(some.integers(0, 255))
    try:
        for each in read_records(io.BytesIO(bytes(content)), "parquet", "text"):
            assert each.error or each.text
    except InvalidInputError as error:
        assert "\n" not in str(error)


def test_a_chunk_is_limited_in_records_and_in_bytes(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(record, "MAX_CHUNK_BYTES", 10)
    read = [Record(number, size=size) for number, size in enumerate([1, 1, 1, 6, 6, 20, 2])]
    found = [[each.size for each in chunk] for chunk in record.chunks(read, 3)]
    assert found == [[1, 1, 1], [6], [6], [20], [2]]


def test_a_parquet_file_whose_first_records_all_fail_is_not_held_for_ever(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(parquet, "MAX_PENDING_BYTES", 100_000)
    writer = open_writer(io.BytesIO(), "parquet")
    with pytest.raises(InvalidInputError, match="the last error is: empty"):
        for number in range(10_000):
            writer.write(Record(number, fields={"text": ""}, error="empty", size=100), None)
