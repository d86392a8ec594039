"""Serves another version of the model as soon as the settings mean one, with no request lost."""

import asyncio
import logging

from .engine import Engine
from .predictor import ModelUnavailable
from .served import revision
from .settings import Settings

logger = logging.getLogger(__name__)


async def renew(engine: Engine, settings: Settings) -> None:
    """Looks every `model_look` seconds until it is cancelled. What cannot be loaded leaves the one before in place."""
    if engine.loading:
        await asyncio.wrap_future(engine.loading)
    while True:
        await asyncio.sleep(settings.model_look)
        try:
            if await asyncio.to_thread(revision, settings) != engine.revision:
                await engine.renew()
        except ModelUnavailable as error:
            logger.warning("the model stays as it is: %s", error)
        except Exception:
            logger.exception("the model stays as it is")
