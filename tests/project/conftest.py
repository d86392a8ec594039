"""What tests of installed projects share."""

from pathlib import Path

import pytest

from tests.answers import TASKS
from tests.conftest import MINILM
from tests.hub import Hub
from tests.installed import environment, make_project  # noqa: F401 - fixtures


@pytest.fixture(scope="session")
def stocked_hub(hub: Hub, minilm: Path) -> Hub:
    """Return the hub with the real model at the commit that the template pins, and a gated and a private copy."""
    pinned = TASKS["feature-extraction"]["revision"]
    hub.add(MINILM, minilm, {"main": pinned, "v1": pinned})
    hub.add("an-org/gated", minilm, gated=True)
    hub.add("an-org/private", minilm, private=True)
    return hub
