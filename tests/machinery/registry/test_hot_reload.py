"""Hot reload, with an engine that only counts."""

import asyncio
from concurrent.futures import Future
from typing import Any

import pytest

from my_project.errors import ModelUnavailableError
from my_project.registry.hot_reload import HotReload


class CountingEngine:
    """An engine whose reload takes the selected revision, or fails."""

    def __init__(self) -> None:
        """Have the first revision loaded."""
        self.loading: Future[None] = Future()
        self.loading.set_result(None)
        self.revision, self.selected = "1", "1"
        self.error: Exception | None = None
        self.reloads = 0

    async def reload(self) -> None:
        """Take the selected revision."""
        self.reloads += 1
        if self.error:
            raise self.error
        self.revision = self.selected


@pytest.mark.parametrize("error", [ModelUnavailableError("broken"), ValueError("broken")])
def test_another_revision_is_reloaded_and_an_error_is_retried(
    error: Exception, caplog: pytest.LogCaptureFixture
) -> None:
    async def run() -> None:
        engine: Any = CountingEngine()
        service = HotReload(engine, lambda: engine.selected, 0.01)
        await service.start()
        await asyncio.sleep(0.1)
        assert engine.reloads == 0
        engine.error, engine.selected = error, "2"
        while engine.reloads < 2:
            await asyncio.sleep(0.01)
        assert engine.revision == "1"
        engine.error = None
        while engine.revision != "2":
            await asyncio.sleep(0.01)
        await service.stop()
        reloads, engine.selected = engine.reloads, "3"
        await asyncio.sleep(0.1)
        assert engine.reloads == reloads
        assert service.reasons() == []

    asyncio.run(asyncio.wait_for(run(), 60))
    assert "the loaded model stays in use" in caplog.text


def test_a_service_that_was_not_started_can_be_stopped() -> None:
    engine: Any = CountingEngine()
    asyncio.run(HotReload(engine, lambda: "1", 1).stop())
