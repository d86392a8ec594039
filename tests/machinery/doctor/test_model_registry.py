"""The check of the model registry."""

from pathlib import Path

import pytest

from my_project import components
from my_project.doctor import Context, Finding, model_registry
from my_project.registry.store import Registry
from my_project.settings import Settings

HAS_BASE_MODEL = "versions" in Settings.model_fields
ADDRESS_VARIABLE = "MY_PROJECT_VERSIONS" if HAS_BASE_MODEL else "MY_PROJECT_MODEL"
NAME = "20250101-000000-00000000"


@pytest.fixture
def models(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return an empty registry, of which the settings select the latest version."""
    monkeypatch.setenv(ADDRESS_VARIABLE, str(tmp_path / "models"))
    components.get_settings.cache_clear()
    return tmp_path / "models"


def check() -> Finding:
    """Run the check."""
    found = model_registry.versions(Context(load_settings=components.get_settings))
    assert found
    return found


@pytest.mark.skipif(HAS_BASE_MODEL, reason="the base model is enough")
def test_a_missing_version_is_a_failure(models: Path) -> None:
    assert check().state == "fail"
    assert "train" in check().fix
    (models / NAME).mkdir(parents=True)
    (models / NAME / "model").write_bytes(b"0")
    assert check().state == "fail", "without a manifest it is not complete"


@pytest.mark.skipif(not HAS_BASE_MODEL, reason="there is no base model")
def test_the_base_model_replaces_latest_and_no_other_version(models: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (models / NAME).mkdir(parents=True)
    found = check()
    assert (found.state, found.found) == ("ok", f"{models}, latest: the base model")
    monkeypatch.setenv("MY_PROJECT_MODEL_VERSION", NAME)
    components.get_settings.cache_clear()
    assert check().state == "fail"


def test_the_latest_version_is_found(models: Path, tmp_path: Path) -> None:
    (tmp_path / "files").mkdir()
    (tmp_path / "files/model").write_bytes(b"0")
    published = Registry(str(models)).publish(tmp_path / "files")
    assert check().state == "ok"
    assert published.name in check().found


def test_an_unknown_address_is_a_failure(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(ADDRESS_VARIABLE, "nowhere://models")
    components.get_settings.cache_clear()
    assert check().state == "fail"
    assert "nowhere" in check().found
