"""The selected model: a version, or the base model."""

from pathlib import Path

import pytest

from my_project.errors import ModelUnavailableError
from my_project.registry.selection import BaseFiles, ModelSelection


@pytest.fixture
def files(tmp_path: Path) -> Path:
    """Return a folder with the files of a version."""
    (tmp_path / "files").mkdir()
    (tmp_path / "files/model").write_text("weights")
    return tmp_path / "files"


@pytest.mark.parametrize("has_base", [True, False])
def test_the_newest_version_is_the_latest_and_a_name_selects_another(
    tmp_path: Path, files: Path, has_base: bool
) -> None:
    base = BaseFiles("name", "abc", lambda: tmp_path / "base") if has_base else None
    selection = ModelSelection("memory://selected", "latest", tmp_path / "cache", base)
    first, second = (selection.registry.publish(files).name for _ in range(2))
    assert selection.revision() == second
    located = selection.locate()
    assert (located.folder, located.revision) == (tmp_path / "cache" / second, second)
    assert ModelSelection(selection.address, first, selection.cache, base).locate().revision == first
    for name in (first, second):
        selection.registry.delete(name)


def test_the_base_model_is_selected_by_name_and_while_there_is_no_version(tmp_path: Path, files: Path) -> None:
    base = BaseFiles("name", "abc", lambda: tmp_path / "base")
    address = str(tmp_path / "models")
    latest = ModelSelection(address, "latest", tmp_path, base)
    assert latest.find() is None
    assert (latest.revision(), latest.locate()) == ("abc", (tmp_path / "base", "abc"))
    version = latest.registry.publish(files)
    assert latest.revision() == version.name
    assert ModelSelection(address, "base", tmp_path, base).locate() == (tmp_path / "base", "abc")


def test_a_missing_version_is_refused(tmp_path: Path) -> None:
    base = BaseFiles("name", "abc", lambda: tmp_path / "base")
    address = str(tmp_path / "models")
    with pytest.raises(ModelUnavailableError, match="has no version 20250101-000000-00000000"):
        ModelSelection(address, "20250101-000000-00000000", tmp_path, base).locate()
    with pytest.raises(ModelUnavailableError, match="make one with the command train"):
        ModelSelection(address, "latest", tmp_path).locate()


def test_an_unknown_address_is_refused_when_it_is_used(tmp_path: Path) -> None:
    selection = ModelSelection("nowhere://models", "latest", tmp_path)
    with pytest.raises(ModelUnavailableError, match="nowhere://models cannot be used"):
        selection.revision()
