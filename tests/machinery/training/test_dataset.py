"""Examples from files."""

import json
from pathlib import Path
from typing import Any

import pytest
from datasets import Dataset

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
    # Readers of CSV take digits for numbers.
    Dataset.from_list([{**row, "label": f"label {row['label']}"} for row in ROWS]).to_csv(tmp_path / "a.csv")
    for name, options, prefix in (("a.csv", {}, "label "), ("a.jsonl", {}, ""), ("a.parquet", {"text": "other"}, "")):
        found = read_examples(Config.model_validate({"data": str(tmp_path / name), **options}), tmp_path / "cache")
        assert found.all.to_list() == [{**row, "label": f"{prefix}{row['label']}"} for row in ROWS]


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("a.csv", "one,two\n1,2\n", "a.csv: no column .*; its columns are one, two"),
        ("a.jsonl", '{"one": 1\n', "a.jsonl cannot be read: "),
        ("a.parquet", "nothing", "a.parquet cannot be read: "),
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
