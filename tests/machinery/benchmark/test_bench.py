"""The commands bench and tune."""

import json
from pathlib import Path

import pytest
from example import INPUTS, PARAMETERS
from machinery.live import live
from typer.testing import CliRunner

from my_project import components
from my_project.cli import tune
from my_project.cli.program import app
from my_project.server.api_keys import ApiKey, digest, make_key


@pytest.fixture
def texts(tmp_path: Path) -> list[str]:
    """Options that name a file of inputs which the tiny model takes; none where they are not texts."""
    lines = [each for each in INPUTS if isinstance(each, str)]
    (tmp_path / "texts.txt").write_text("\n".join(lines))
    return ["--input", str(tmp_path / "texts.txt")] if lines else []


def test_bench_measures_a_server(texts: list[str], tmp_path: Path) -> None:
    report = tmp_path / "report.json"
    with live() as url:
        options = [f"{url}/predict", "-c", "1", "--seconds", "1", "-o", str(report), *texts]
        options += ["--parameters", json.dumps(PARAMETERS)]
        done = CliRunner().invoke(app, ["bench", "-c", "2", *options])
        paced = CliRunner().invoke(app, ["bench", "--rate", "20", *options])
    assert done.exit_code == paced.exit_code == 0, done.output
    assert "p99" in done.output
    [step] = json.loads(report.read_text())["steps"]
    assert not step["errors"]
    assert 0 < step["throughput"] <= 30
    assert report.with_suffix(".png").stat().st_size


@pytest.mark.parametrize("variable", ["API_KEY", "API_KEY_FILE"])
def test_bench_sends_the_key_of_the_environment(
    variable: str, texts: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    key, keys, held = make_key(), tmp_path / "api_keys", tmp_path / "key"
    keys.write_text(ApiKey("bench", digest(key.encode()), False).line)
    held.write_text(f"{key}\n")
    monkeypatch.setenv("MY_PROJECT_API_KEYS_FILE", str(keys))
    components.get_settings.cache_clear()
    options = ["-c", "1", "--seconds", "0.5", "-o", str(tmp_path / "report.json"), *texts]
    options += ["--parameters", json.dumps(PARAMETERS)]
    with live() as url:
        unknown = CliRunner().invoke(app, ["bench", f"{url}/predict", *options])
        monkeypatch.setenv(variable, str(held) if variable == "API_KEY_FILE" else key)
        known = CliRunner().invoke(app, ["bench", f"{url}/predict", *options])
    assert unknown.exit_code == 1
    assert "set API_KEY or API_KEY_FILE" in unknown.output
    assert known.exit_code == 0, known.output
    assert key not in known.output + (tmp_path / "report.json").read_text()


@pytest.mark.parametrize("variables", [{"API_KEY": "a\nb"}, {"API_KEY": "\u00e4"}, {"API_KEY_FILE": "/no/such/file"}])
def test_a_key_that_cannot_be_sent_is_refused(variables: dict[str, str], monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    done = CliRunner().invoke(app, ["bench"])
    assert done.exit_code == 2
    assert next(iter(variables)) in done.output


def test_bench_of_a_server_that_does_not_answer_fails(texts: list[str], tmp_path: Path) -> None:
    report = tmp_path / "report.json"
    report.write_text("of before")
    options = ["http://127.0.0.1:9", "--seconds", "0.2", "-o", str(report), *texts]
    done = CliRunner().invoke(app, ["bench", *options])
    assert done.exit_code == 1
    assert "ConnectionRefusedError" in done.output
    assert "no request succeeded" in done.output
    assert report.read_text() == "of before"


@pytest.mark.parametrize("url", ["localhost:8000", "ftp://localhost", "http://a..b/", "http://[::1/", "http://a:b/"])
def test_what_is_no_address_is_refused(url: str) -> None:
    done = CliRunner().invoke(app, ["bench", url])
    assert done.exit_code == 2
    assert "is not a URL" in " ".join(done.output.split())


@pytest.mark.parametrize("output", ["/no/such/folder/bench.json", "bench.png"])
def test_what_cannot_be_written_is_refused_before_anything_is_measured(output: str) -> None:
    done = CliRunner().invoke(app, ["bench", "-o", output])
    assert done.exit_code == 2
    assert "cannot be written" in " ".join(done.output.split())


@pytest.mark.parametrize("parameters", ["{", "[1]"])
def test_parameters_that_are_no_object_are_refused(parameters: str) -> None:
    done = CliRunner().invoke(app, ["bench", "--parameters", parameters])
    assert done.exit_code == 2
    assert "parameters are not" in done.output


def test_tune_writes_what_it_found_beside_what_is_there(
    texts: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tune, "CANDIDATES", {"max_batch_size": ("max_items", [1, 2])})
    file = tmp_path / ".env"
    file.write_text("MINE=1\nMY_PROJECT_MAX_BATCH_SIZE=7\n")
    options = ["--seconds", "0.1", "--env-file", str(file), *texts]
    assert CliRunner().invoke(app, ["tune", "--dry-run", *options]).exit_code == 0
    assert "MAX_BATCH_SIZE=7" in file.read_text()
    done = CliRunner().invoke(app, ["tune", *options])
    assert done.exit_code == 0, done.output
    written = dict(line.split("=") for line in file.read_text().splitlines())
    assert written["MINE"] == "1"
    assert written["MY_PROJECT_MAX_BATCH_SIZE"] in ("1", "2")
