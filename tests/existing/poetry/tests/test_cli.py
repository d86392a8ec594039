from pathlib import Path

import pytest
from click.testing import CliRunner

from tidewatch.cli import main

RECORD = str(Path(__file__).parents[1] / "data/harbour.csv")


@pytest.fixture
def invoke():
    return lambda *args: CliRunner().invoke(main, args, catch_exceptions=False)


def test_train_and_scan(invoke, tmp_path):
    model = str(tmp_path / "m.pt")
    assert invoke("train", RECORD, "--output", model).exit_code == 0
    found = invoke("scan", RECORD, "--model", model, "--top", "1")
    assert found.output.startswith("2023-04-08T")  # a boat, on the eighth


def test_dry_run_writes_nothing(invoke, tmp_path):
    model = tmp_path / "m.pt"
    assert "window=12" in invoke("train", RECORD, "--dry-run", "--output", str(model)).output
    assert not model.exists()
