"""The command predict."""

import csv
import io
import json
import re
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pyarrow.parquet
import pytest
from example import INPUTS, REFUSED

from my_project import components
from my_project.cli import predict
from my_project.cli.program import main

PACKAGE = "my_project"
assert predict


def as_text(value: Any, path: Path) -> str:
    """Return what a file contains for an input: itself, or the path of a file with its bytes."""
    if isinstance(value, bytes):
        path.write_bytes(value)
        return str(path)
    return str(value)


@pytest.fixture
def texts(tmp_path: Path) -> list[str]:
    """Return what a file contains for each input."""
    return [as_text(each, tmp_path / f"{number}.png") for number, each in enumerate(INPUTS)]


@pytest.fixture
def refused(tmp_path: Path) -> str:
    """Return what a file contains for an input that the model refuses."""
    return as_text(REFUSED, tmp_path / "refused.png")


@dataclass
class Done:
    """How a run of the command ended, and what it wrote."""

    returncode: int
    stdout: bytes
    stderr: bytes


Run = Callable[..., Done]


@pytest.fixture
def run(monkeypatch: pytest.MonkeyPatch, capfdbinary: pytest.CaptureFixture[bytes]) -> Run:
    """Run the command in this process, where torch is loaded already."""

    def run(*arguments: object, stdin: bytes = b"") -> Done:
        monkeypatch.setattr(sys, "argv", ["command", "predict", *map(str, arguments)])
        monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(stdin)))
        with pytest.raises(SystemExit) as ended:
            main()
        sys.stdout.flush()
        written = capfdbinary.readouterr()
        return Done(int(ended.value.code or 0), written.out, written.err)

    return run


def test_arguments_to_lines_of_json(run: Run, texts: list[str]) -> None:
    done = run(*texts)
    assert done.returncode == 0, done.stderr
    assert len([json.loads(line) for line in done.stdout.splitlines()]) == len(texts)


def test_standard_input_to_standard_output(run: Run, texts: list[str]) -> None:
    done = run(stdin="\n".join(texts).encode())
    assert done.returncode == 0, done.stderr
    assert len([json.loads(line) for line in done.stdout.splitlines()]) == len(texts)


@pytest.mark.parametrize("ending", ["jsonl", "csv", "parquet"])
def test_each_format_to_the_same(run: Run, texts: list[str], tmp_path: Path, ending: str) -> None:
    lines = tmp_path / "in.txt"
    lines.write_text("\n".join(texts))
    source, target = tmp_path / f"in.{ending}", tmp_path / f"out.{ending}"
    for one, other in [(lines, source), (source, target)]:
        done = run("--input", one, "--output", other)
        assert done.returncode == 0, done.stderr
    rows = _rows(target)
    assert [row["text"] for row in rows] == texts
    assert all(row["prediction"] for row in rows)


def test_a_bad_line_is_named_and_the_others_written(run: Run, texts: list[str], refused: str, tmp_path: Path) -> None:
    good = [json.dumps({"text": text, "id": number}).encode() for number, text in enumerate(texts)]
    bad = [b"{", b'"\xff"', b'{"text": 5}', b"", json.dumps({"text": refused}).encode()]
    source, target = tmp_path / "in.jsonl", tmp_path / "out.jsonl"
    source.write_bytes(b"\n".join([*bad, *good]))
    done = run("--input", source, "--output", target)
    assert done.returncode == 1
    assert b"Traceback" not in done.stderr
    for number in range(1, len(bad) + 1):
        assert f"line {number}: ".encode() in done.stderr
    rows = _rows(target)
    assert ["error" in row for row in rows] == [True] * len(bad) + [False] * len(good)
    assert [row["id"] for row in rows[len(bad) :]] == list(range(len(good)))


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--input", "{folder}/in.csv", "--column", "nothing"], "no column called nothing"),
        (["--input", "{folder}/in.xyz"], "unknown extension"),
        (["--input", "{folder}/in.parquet", "--output", "{folder}/out.parquet"], "not a Parquet file"),
        (["--parameter", "no_such_thing=1", "a"], "no_such_thing"),
        (["--input", "{folder}/in.csv", "--output", "{folder}/no/out.csv"], "there is no folder"),
    ],
)
def test_a_wrong_call_is_one_line(run: Run, tmp_path: Path, arguments: list[str], message: str) -> None:
    for name in ("in.csv", "in.xyz", "in.parquet"):
        (tmp_path / name).write_text("text\na happy dog\n")
    before = sorted(tmp_path.iterdir())
    done = run(*(argument.format(folder=tmp_path) for argument in arguments))
    assert done.returncode == 1
    assert message in done.stderr.decode()
    assert len(done.stderr.splitlines()) == 1
    assert sorted(tmp_path.iterdir()) == before


def test_a_dry_run_writes_nothing(run: Run, texts: list[str], tmp_path: Path) -> None:
    source = tmp_path / "in.txt"
    source.write_text("\n".join(texts))
    done = run("--input", source, "--output", tmp_path / "out.txt", "--dry-run")
    assert done.returncode == 0, done.stderr
    assert f"would predict {len(texts)} records" in done.stderr.decode()
    assert not (tmp_path / "out.txt").exists()


@pytest.fixture
def small_chunks(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Make a chunk of 16 records."""
    monkeypatch.setenv("MY_PROJECT_MAX_BATCH_SIZE", "1")
    components.get_settings.cache_clear()
    yield
    components.get_settings.cache_clear()


@pytest.fixture
def long_file(texts: list[str], refused: str, tmp_path: Path, small_chunks: None) -> Path:
    """Return a file of four chunks, in which some records are bad, the first one too."""
    rows = [json.dumps({"text": texts[number % len(texts)], "id": number}) for number in range(60)]
    source = tmp_path / "long.jsonl"
    source.write_text("\n".join(["{", *rows, json.dumps({"text": refused})]))
    return source


@pytest.mark.parametrize("ending", ["txt", "jsonl", "csv", "parquet"])
def test_merged_shards_are_the_file_of_a_single_run(run: Run, long_file: Path, tmp_path: Path, ending: str) -> None:
    single, merged = tmp_path / f"single.{ending}", tmp_path / f"merged.{ending}"
    expected = run("--input", long_file, "--output", single)
    for shard in ("5/5", "1/5", "3/5", "4/5", "2/5"):  # the fifth has nothing to do
        done = run("--input", long_file, "--output", merged, "--shard", shard)
        assert done.returncode == 0, done.stderr
        assert not merged.exists()
    done = run("--input", long_file, "--output", merged, "--merge", 5)
    assert (done.returncode, expected.returncode) == (1, 1)
    assert done.stderr.splitlines()[:-1] == expected.stderr.splitlines()[:-1]
    assert merged.read_bytes() == single.read_bytes()
    assert not list(tmp_path.glob("merged*.parts"))


def test_a_merge_names_the_shards_that_it_cannot_use(run: Run, long_file: Path, tmp_path: Path) -> None:
    files = ("--input", long_file, "--output", tmp_path / "out.jsonl")
    assert b"run these shards of 2 again: 1, 2" in run(*files, "--merge", 2).stderr
    assert run(*files, "--shard", "2/2").returncode == 0
    assert b"run these shards of 2 again: 1\n" in run(*files, "--merge", 2).stderr
    assert run(*files, "--shard", "1/2", "--column", "other").returncode == 0
    assert b"1-of-2.jsonl: of another input or other options" in run(*files, "--merge", 2).stderr
    assert run(*files, "--shard", "1/2").returncode == 0
    part = tmp_path / "out.jsonl.parts/1-of-2.jsonl"
    whole = part.read_text()
    for damaged, sentence in [
        (whole[:-10], "damaged; run this shard again"),
        (whole[: whole.rindex("\n[")] + "\n", "of the input; run all shards again"),
        (re.sub('"model":"[^"]*', '"model":"another', whole), "of two models, "),
    ]:
        part.write_text(damaged)
        done = run(*files, "--merge", 2)
        assert done.returncode == 1
        assert sentence in done.stderr.decode().splitlines()[-1]
        assert not (tmp_path / "out.jsonl").exists()
    part.write_text(whole)
    assert run(*files, "--merge", 2).returncode == 1
    assert (tmp_path / "out.jsonl").exists()


@pytest.mark.parametrize("shard", ["0/2", "3/2", "1/501", "a", "1/2/3", "-1/2"])
def test_a_shard_that_does_not_exist_is_refused(run: Run, long_file: Path, tmp_path: Path, shard: str) -> None:
    done = run("--input", long_file, "--output", tmp_path / "out.jsonl", f"--shard={shard}")
    assert done.returncode == 1
    assert "is no shard: write 3/8" in done.stderr.decode()
    assert not list(tmp_path.glob("out*"))


def test_an_interrupted_run_leaves_no_half_of_a_file(texts: list[str], tmp_path: Path) -> None:
    command = [sys.executable, "-m", PACKAGE, "predict", "--output", str(tmp_path / "out.jsonl")]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stderr=subprocess.PIPE) as process:
        assert process.stdin
        process.stdin.write(f"{texts[0]}\n".encode() * 5000)
        process.stdin.flush()
        process.send_signal(signal.SIGINT)
        process.communicate(timeout=60)
    assert process.returncode != 0
    assert not list(tmp_path.glob("*out.jsonl*"))


def _rows(path: Path) -> list[dict[str, object]]:
    if path.suffix == ".parquet":
        rows: list[dict[str, object]] = pyarrow.parquet.read_table(path).to_pylist()
        return rows
    if path.suffix == ".csv":
        with path.open(newline="") as stream:
            return [dict(row) for row in csv.DictReader(stream)]
    return [json.loads(line) for line in path.read_text().splitlines()]
