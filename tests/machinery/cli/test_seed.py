"""The command seed, for projects whose weights come from a bucket."""

from pathlib import Path

import pytest
from typer.testing import CliRunner

from my_project import components
from my_project.cli import seed
from my_project.cli.program import app


def test_the_base_model_is_published_once_and_served_from_the_bucket(
    tmp_path: Path, model: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MY_PROJECT_VERSIONS", "memory://seeded")
    monkeypatch.setenv("MY_PROJECT_MODEL_CACHE", str(tmp_path))
    components.get_settings.cache_clear()
    first = CliRunner().invoke(app, [seed.__name__.rpartition(".")[2]])
    assert first.exit_code == 0, first.output
    monkeypatch.setenv("MY_PROJECT_MODEL", str(tmp_path / "nowhere"))
    components.get_settings.cache_clear()
    again = CliRunner().invoke(app, ["seed"])
    assert (again.exit_code, again.stdout) == (0, first.stdout)
    assert components.load_model(components.get_settings()).revision == first.stdout.strip()
