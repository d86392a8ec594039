"""The command models."""

import json
from pathlib import Path

import pytest
from typer.testing import CliRunner

from my_project import components
from my_project.cli import models as command
from my_project.cli.program import app
from my_project.registry.store import Registry
from my_project.settings import Settings

ADDRESS_VARIABLE = "MY_PROJECT_VERSIONS" if "versions" in Settings.model_fields else "MY_PROJECT_MODEL"


def run(*arguments: str) -> str:
    """Run the command and return its output."""
    done = CliRunner().invoke(app, [command.__name__.rpartition(".")[2], *arguments])
    assert done.exit_code == 0, done.output
    return done.stdout


def test_versions_are_listed_shown_uploaded_downloaded_and_deleted(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(ADDRESS_VARIABLE, str(tmp_path / "models"))
    monkeypatch.setenv("MY_PROJECT_MODEL_CACHE", str(tmp_path / "cache"))
    components.get_settings.cache_clear()
    assert "no version yet" in run()
    (tmp_path / "files").mkdir()
    (tmp_path / "files/model").write_text("weights")
    first = Registry(str(tmp_path / "models")).publish(tmp_path / "files", {"rmse": 0.5}).name
    second = run("--upload", str(tmp_path / "files")).strip()
    assert [each["name"] for each in json.loads(run("--json"))] == [second, first]
    listed = run()
    assert first in listed and "rmse 0.5" in listed and "selected" in listed
    assert json.loads(run("latest"))["name"] == second
    assert Path(run(first, "--download").strip()).is_dir()
    assert run(second, "--delete") == ""
    assert Registry(str(tmp_path / "models")).names() == [first]
    assert CliRunner().invoke(app, ["models", "--delete"]).exit_code == 2
