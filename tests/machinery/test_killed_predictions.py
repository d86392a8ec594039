"""A prediction over a file that is killed half-way is run again to the same bytes, whatever the task."""

import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from example import INPUTS, PARAMETERS
from typer.testing import CliRunner

from my_project.cli.program import app
from my_project.components import columns, get_settings

RECORDS = 20
"""Length of the file: a chunk of 16 records, and another one."""

KILLED_RECORD = 10
"""Record of the first chunk, after which the process is killed."""

KILLED = f"""
import os, signal
from my_project.batch import predict
from my_project.cli.program import main

predict_records = predict.predict_records

def predict_half(*arguments, **options):
    for record, prediction in predict_records(*arguments, **options):
        yield record, prediction
        if record.number == {KILLED_RECORD}:
            os.kill(os.getpid(), signal.SIGKILL)

predict.predict_records = predict_half
main()
"""


@pytest.fixture
def source(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return a file of two chunks."""
    monkeypatch.setenv("MY_PROJECT_MAX_BATCH_SIZE", "1")
    get_settings.cache_clear()
    rows = []
    for number in range(RECORDS):
        value = INPUTS[number % len(INPUTS)]
        if isinstance(value, bytes):
            (tmp_path / f"{number}.png").write_bytes(value)
            value = str(tmp_path / f"{number}.png")
        fields = value if isinstance(value, dict) else dict.fromkeys(columns(), value)
        rows.append(json.dumps({"id": number, **fields}) + "\n")
    path = tmp_path / "in.jsonl"
    path.write_text("".join(rows))
    return path


@pytest.fixture
def arguments(source: Path) -> Callable[..., list[str]]:
    """Return the arguments of the command for a target."""
    options = [f"--parameter={name}={json.dumps(value)}" for name, value in PARAMETERS.items()]
    return lambda target, *others: ["predict", *options, f"--input={source}", f"--output={target}", *others]


def predict(arguments: list[str]) -> None:
    """Run the command in this process."""
    done = CliRunner().invoke(app, arguments)
    assert done.exit_code == 0, done.output


def test_a_killed_shard_is_run_again_to_the_bytes_of_a_single_run(
    arguments: Callable[..., list[str]], tmp_path: Path
) -> None:
    single, merged = tmp_path / "single.jsonl", tmp_path / "merged.jsonl"
    predict(arguments(single))
    command = [sys.executable, "-c", KILLED, *arguments(merged, "--shard=1/2")]
    done = subprocess.run(command, capture_output=True, timeout=120, env=os.environ)
    assert done.returncode == -signal.SIGKILL, done.stderr
    parts = tmp_path / "merged.jsonl.parts"
    assert [path.suffix for path in parts.iterdir()] == [".part"], "the half of a shard must not look like a whole one"
    for options in (["--shard=2/2"], ["--shard=1/2"], ["--merge=2"]):
        predict(arguments(merged, *options))
    assert merged.read_bytes() == single.read_bytes()
    assert not parts.exists()
