"""The model of a worker process, reloaded when another version is selected."""

import logging
from collections.abc import Callable
from typing import Any, Generic, TypeVar

from ..errors import ModelUnavailableError
from ..inference.model import InferenceModel

logger = logging.getLogger(__name__)

ModelT = TypeVar("ModelT", bound=InferenceModel[Any, Any, Any])


class CurrentModel(Generic[ModelT]):
    """Return the selected model when called: loaded on the first call, and again when another version is selected."""

    def __init__(self, load_model: Callable[[], ModelT], selected_revision: Callable[[], str | None]) -> None:
        """Load nothing yet.

        Args:
            load_model: Load the selected model. May raise ModelUnavailableError.
            selected_revision: Return the revision that is selected now. May raise ModelUnavailableError.
        """
        self._load_model, self._selected_revision = load_model, selected_revision
        self._model: ModelT | None = None

    def __call__(self) -> ModelT:
        """Return the model. If another version cannot be loaded, keep the loaded one.

        Raises:
            ModelUnavailableError: No model has been loaded yet, and none can be.
        """
        try:
            if self._model is None or self._model.revision != self._selected_revision():
                self._model = self._load_model()
        except ModelUnavailableError as error:
            if self._model is None:
                raise
            logger.warning("the loaded model stays in use: %s", error)
        return self._model
