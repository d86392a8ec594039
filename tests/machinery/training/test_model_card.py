"""The model card: what its metadata says, and whether its examples run."""

import re
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from huggingface_hub import ModelCard

from my_project.registry.store import StoredFile, Version
from my_project.training.model_card import PIPELINE, model_card
from my_project.training.read_report import BaseOfTraining, Report, UsedExamples, read_report

METRICS = {"loss": 0.25, "accuracy": 0.875}
VERSION = Version(
    name="20260102-030405-0123abcd",
    created_at=datetime(2026, 1, 2, tzinfo=UTC),
    metrics=METRICS,
    files={"model.safetensors": StoredFile(size=1, sha256="0" * 64)},
)


def make_report(base: BaseOfTraining | None = None, **training: Any) -> Report:
    """Return the report of a training."""
    examples = UsedExamples(train=900, held_out=100, sha256="ab" * 32)
    return Report(training=training, examples=examples, base=base, packages={"torch": "2.13.0"})


def read(report: Report | None) -> ModelCard:
    """Return the card of a version as the hub's library reads it."""
    return ModelCard(str(model_card("me/model", VERSION, report)))


@pytest.mark.parametrize(
    ("name", "kind"), [("my data.csv", "csv"), ("b.jsonl", "json"), ("b.ndjson", "json"), ("c.parquet", "parquet")]
)
@pytest.mark.parametrize("folder", ["/home/me/secret/", "C:\\Users\\me\\secret\\", ""])
def test_a_file_is_described_without_its_folder(name: str, kind: str, folder: str) -> None:
    card = read(make_report(data=folder + name, seed=7))
    assert (card.data.pipeline_tag, card.data.datasets) == (PIPELINE, None)
    assert card.data.eval_results
    [found] = {(each.task_type, each.dataset_type, each.dataset_name) for each in card.data.eval_results}
    assert found == (PIPELINE, kind, name)
    assert {each.metric_type: each.metric_value for each in card.data.eval_results} == METRICS
    assert "secret" not in str(card)
    for said in (f"| Data | {name} |", "| Examples to learn from | 900 |", "100 examples", "ab" * 32, '"seed": 7'):
        assert said in card.text


def test_a_data_set_and_a_base_model_of_the_hub_are_named() -> None:
    base = BaseOfTraining(model="an-org/base", revision="abc")
    card = read(make_report(base, data="an-org/data", subset="de", split="train", revision="v1"))
    assert (card.data.datasets, card.data.base_model) == (["an-org/data"], "an-org/base")
    assert card.data.eval_results
    result = card.data.eval_results[0]
    assert (result.dataset_type, result.dataset_config, result.dataset_revision) == ("an-org/data", "de", "v1")
    assert "[an-org/base](https://huggingface.co/an-org/base), revision abc" in card.text


@pytest.mark.parametrize("data", [None, "/home/me/secret/folder", "../secret/folder"])
def test_other_data_and_a_base_model_in_a_folder_are_not_taken_for_those_of_the_hub(data: str | None) -> None:
    card = read(make_report(BaseOfTraining(model="/home/me/secret/model"), data=data))
    assert (card.data.datasets, card.data.base_model) == (None, None)
    assert "secret" not in str(card)


def test_a_version_that_was_uploaded_has_a_card() -> None:
    assert "not trained by this project" in read(None).text


@pytest.mark.parametrize("content", ["not JSON", "[]", '{"training": {}}'])
def test_a_file_that_is_no_report_is_none(tmp_path: Path, content: str) -> None:
    assert read_report(tmp_path) is None
    (tmp_path / "training.json").write_text(content)
    assert read_report(tmp_path) is None


def test_signs_of_tables_stay_in_their_cells() -> None:
    card = read(make_report(data="a | b\n# c.csv"))
    assert "| Data | a b # c.csv |" in card.text


def test_the_examples_of_the_card_run(model_folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    text = read(None).text.replace("me/model", str(model_folder))
    blocks = re.findall(r"```python\n(.+?)```", text, re.DOTALL)
    assert blocks and VERSION.name in blocks[0]
    for block in blocks:
        code = compile(block, "README.md", "exec")
        if "sentence_transformers" not in block and "photo.jpg" not in block:  # of neither there is one here
            exec(code, {})
