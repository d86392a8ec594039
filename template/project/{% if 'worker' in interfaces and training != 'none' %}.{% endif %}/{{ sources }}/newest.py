"""The predictor that a worker has at hand, of the version that the settings mean by now."""

import logging

from .predictor import ModelUnavailable, Predictor, load_predictor
from .served import revision
from .settings import Settings

logger = logging.getLogger(__name__)


class Newest:
    """Gives the predictor, which it loads when it is first asked for, and when another version is meant."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._predictor: Predictor | None = None

    def __call__(self) -> Predictor:
        """Raises ModelUnavailable where there never was one."""
        try:
            if self._predictor is None or self._predictor.revision != revision(self._settings):
                self._predictor = load_predictor(self._settings)
        except ModelUnavailable as error:
            if self._predictor is None:
                raise
            logger.warning("the model stays as it is: %s", error)
        return self._predictor
