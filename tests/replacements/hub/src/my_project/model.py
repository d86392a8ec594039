"""A classifier of reviews."""

import json
from collections.abc import Mapping, Sequence
from typing import Any, ClassVar, Self

import numpy as np

from .backends.base import Backend, ModelFiles
from .base_settings import ServiceSettings
from .errors import InvalidInputError
from .inference.batching import Item
from .schemas import Input, Parameters
from .settings import Settings
from .task.model import TextClassificationModel


class Model(TextClassificationModel):
    """Reviews to labels that say whether they are certain."""

    nest_single_output: ClassVar[bool] = False
    certain_from = 1.0

    @classmethod
    def load(cls, files: ModelFiles, backend: Backend, settings: ServiceSettings) -> Self:
        """Return the model, with the threshold of the settings."""
        model = super().load(files, backend, settings)
        if isinstance(settings, Settings):
            model.certain_from = settings.certain_from
        return model

    @staticmethod
    def parse_text(text: str) -> Any:
        """Return the review that an argument or a line of a file holds as JSON, or as its body."""
        try:
            found = json.loads(text)
        except ValueError:
            found = text
        return found if isinstance(found, dict) else {"title": "", "body": text}

    def preprocess(self, inputs: Sequence[Any], parameters: Any) -> list[Item]:
        """Return the token ids of each review, without its line breaks."""
        return super().preprocess([self._text(review, parameters) for review in inputs], parameters)

    def postprocess(self, outputs: Mapping[str, np.ndarray], items: Sequence[Item]) -> list[Any]:
        """Return the best label of each review."""
        best = (labels[0] for labels in super().postprocess(outputs, items))
        return [{**label, "is_certain": label["score"] >= self.certain_from} for label in best]

    def _text(self, review: Input, parameters: Parameters) -> str:
        parts = [review["title"]] if parameters.with_title else []
        text = " ".join(" ".join([*parts, review["body"]]).split())
        if not text:
            raise InvalidInputError("a review has no text")
        return text
