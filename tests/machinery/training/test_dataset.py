"""Examples from files."""

import csv
import json
from pathlib import Path
from typing import Any

import pyarrow
import pyarrow.parquet
import pytest
from datasets import ClassLabel, Dataset, Features, Value

from my_project.batch.formats import detect_format, read_rows
from my_project.errors import InvalidInputError
from my_project.training.dataset import read_examples
from my_project.training.trainer_config import TrainerConfig

ROWS: list[dict[str, Any]] = [{"text": f"text {number}", "label": f"{number % 3}"} for number in range(100)]


class Config(TrainerConfig):
    """A configuration with two columns."""

    COLUMNS = ("text", "label")

    text: str = "text"
    label: str = "label"


def write(path: Path, rows: list[dict[str, Any]]) -> str:
    """Write rows to a JSONL file and return its path."""
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return str(path)


def test_no_model_has_learned_from_examples_that_are_held_out_later(tmp_path: Path) -> None:
    found = read_examples(Config(data=write(tmp_path / "all.jsonl", ROWS)), tmp_path / "cache")
    before = read_examples(Config(data=write(tmp_path / "half.jsonl", ROWS[::2])), tmp_path / "cache")
    assert 0.02 < len(found.held_out) / len(found.all) < 0.3
    assert set(found.held_out["text"]).isdisjoint(before.train["text"])
    assert set(found.train["text"]).isdisjoint(found.held_out["text"])


def test_examples_are_read_from_each_file_type_and_with_other_column_names(tmp_path: Path) -> None:
    made = Dataset.from_list(ROWS)
    made.to_json(tmp_path / "a.jsonl")
    made.rename_column("text", "other").to_parquet(tmp_path / "a.parquet")
    made.to_csv(tmp_path / "a.csv")
    for name, options in (("a.csv", {}), ("a.jsonl", {}), ("a.parquet", {"text": "other"})):
        found = read_examples(Config.model_validate({"data": str(tmp_path / name), **options}), tmp_path / "cache")
        assert found.all.to_list() == ROWS


def records(path: Path) -> list[dict[str, Any]]:
    """Return the columns of the examples as `predict` reads them."""
    with path.open("rb") as stream:
        rows = list(read_rows(stream, detect_format(path), ["text", "label"]))
    assert not [row.error for row in rows if row.error]
    return [{name: row.fields[name] for name in ("text", "label")} for row in rows]


@pytest.mark.parametrize("extension", ["csv", "jsonl", "parquet"])
def test_words_that_look_like_other_values_stay_words(tmp_path: Path, extension: str) -> None:
    words = [
        "None",
        "NA",
        "null",
        "NaN",
        "nan",
        "N/A",
        "007",
        "7",
        "010",
        "1.10",
        "1e5",
        "true",
        "2024-01-02",
        " x ",
        "-",
    ]
    rows = [{"text": f"{text}", "label": label} for text in words for label in (words if text == "null" else words[:2])]
    path = tmp_path / f"a.{extension}"
    made = pyarrow.Table.from_pylist(rows)
    if extension == "csv":
        with path.open("w", newline="") as file:
            writer = csv.DictWriter(file, ["text", "label"])
            writer.writeheader()
            writer.writerows(rows)
    elif extension == "jsonl":
        write(path, rows)
    else:
        pyarrow.parquet.write_table(made, path)
    found = read_examples(Config(data=str(path), holdout=0.4), tmp_path / "cache").all
    assert found.to_list() == rows == records(path)
    assert set(found["label"]) == set(words)


@pytest.mark.parametrize("extension", ["jsonl", "parquet"])
@pytest.mark.parametrize(
    ("values", "words"), [([7, 10], ["7", "10"]), ([1.1, 2.0], ["1.1", "2.0"]), ([True, False], ["true", "false"])]
)
def test_labels_that_are_no_text_are_the_words_that_json_writes(
    tmp_path: Path, extension: str, values: list[Any], words: list[str]
) -> None:
    rows = [row | {"label": values[number % 2]} for number, row in enumerate(ROWS)]
    path = tmp_path / f"a.{extension}"
    if extension == "jsonl":
        write(path, rows)
    else:
        pyarrow.parquet.write_table(pyarrow.Table.from_pylist(rows), path)
    found = read_examples(Config(data=str(path)), tmp_path / "cache").all
    assert found["label"][:2] == words


def test_classes_of_a_parquet_file_have_the_names_that_it_holds(tmp_path: Path) -> None:
    rows = [row | {"label": number % 2} for number, row in enumerate(ROWS)]
    features = Features({"text": Value("string"), "label": ClassLabel(names=["no", "yes"])})
    Dataset.from_list(rows, features=features).to_parquet(tmp_path / "a.parquet")
    found = read_examples(Config(data=str(tmp_path / "a.parquet")), tmp_path / "cache").all
    assert found["label"][:3] == ["no", "yes", "no"]


def test_a_changed_file_is_read_anew(tmp_path: Path) -> None:
    path = tmp_path / "a.jsonl"
    first = read_examples(Config(data=write(path, ROWS)), tmp_path / "cache")
    second = read_examples(Config(data=write(path, [row | {"label": "z"} for row in ROWS])), tmp_path / "cache")
    assert (first.all["label"][0], second.all["label"][0]) == ("0", "z")
    assert first.digest != second.digest


def test_chats_stay_lists_of_messages(tmp_path: Path) -> None:
    chat = [{"role": "user", "content": "007"}, {"role": "assistant", "content": "null"}]
    rows = [row | {"text": [*chat, {"role": "user", "content": row["text"]}]} for row in ROWS]
    found = read_examples(Config(data=write(tmp_path / "a.jsonl", rows)), tmp_path / "cache")
    assert found.all.to_list() == rows


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("a.csv", "one,two\n1,2\n", "a.csv: no column called text, label among one, two"),
        ("a.csv", "text,label\n1,2\n1\n", "a.csv: row 3: 1 fields, not 2"),
        ("a.csv", "text,label\n", "a.csv: no examples"),
        ("a.jsonl", '{"one": 1\n', "a.jsonl: row 1: not JSON: "),
        ("a.jsonl", '{"text": "a"}\n', "a.jsonl: row 1: no label"),
        ("a.parquet", "nothing", "a.parquet: not a Parquet file: "),
        ("a.txt", "", "a.txt: unknown file type"),
        ("b.csv", None, "b.csv: no such file"),
    ],
)
def test_invalid_examples_are_refused_in_one_line(tmp_path: Path, name: str, content: str | None, message: str) -> None:
    if content is not None:
        (tmp_path / name).write_text(content)
    with pytest.raises(InvalidInputError, match=message) as refusal:
        read_examples(Config(data=str(tmp_path / name)), tmp_path / "cache")
    assert "\n" not in str(refusal.value)


def test_an_example_without_a_value_is_refused_with_its_number(tmp_path: Path) -> None:
    rows = [*ROWS[:3], ROWS[3] | {"label": None}]
    with pytest.raises(InvalidInputError, match=r"a\.jsonl: example 4 has no label"):
        read_examples(Config(data=write(tmp_path / "a.jsonl", rows)), tmp_path / "cache")


def test_a_configuration_without_data_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InvalidInputError, match="data: name a CSV"):
        read_examples(Config(), tmp_path / "cache")
