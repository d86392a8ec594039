"""The model of a worker."""

from typing import Any

import pytest

from my_project.errors import ModelUnavailableError
from my_project.registry.current_model import CurrentModel


class Loader:
    """Load models that are only a revision, and count the loads."""

    def __init__(self) -> None:
        """Select the first revision."""
        self.selected, self.broken, self.loads = "1", False, 0

    def __call__(self) -> Any:
        """Return a model of the selected revision."""
        if self.broken:
            raise ModelUnavailableError("broken")
        self.loads += 1
        return type("Loaded", (), {"revision": self.selected})()

    def revision(self) -> str:
        """Return the selected revision."""
        return self.selected


def test_a_model_is_loaded_again_only_when_another_is_selected() -> None:
    loader = Loader()
    current = CurrentModel(loader, loader.revision)
    assert loader.loads == 0
    assert (current().revision, current().revision, loader.loads) == ("1", "1", 1)
    loader.selected = "2"
    assert (current().revision, loader.loads) == ("2", 2)


def test_the_loaded_model_stays_if_another_cannot_be_loaded(caplog: pytest.LogCaptureFixture) -> None:
    loader = Loader()
    current = CurrentModel(loader, loader.revision)
    loader.broken = True
    with pytest.raises(ModelUnavailableError):
        current()
    loader.broken = False
    assert current().revision == "1"
    loader.broken, loader.selected = True, "2"
    assert current().revision == "1"
    assert "the loaded model stays in use: broken" in caplog.text
    loader.broken = False
    assert current().revision == "2"
