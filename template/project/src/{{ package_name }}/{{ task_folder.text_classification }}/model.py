"""Text classification."""

from collections.abc import Mapping, Sequence
from typing import Any, ClassVar

import numpy as np

from ..backends.base import Backend, ModelFiles
from ..inference.batching import BatchLimits, Item
from .labels import best_labels
from .schemas import Input, Output, TextClassificationParameters, to_text
from .text_model import TextModel


class TextClassificationModel(TextModel[Input, Any, Any]):
    """Texts and pairs of texts to labels with scores."""

    nest_single_output: ClassVar[bool] = True

    def __init__(self, files: ModelFiles, backend: Backend, limits: BatchLimits) -> None:
        super().__init__(files, backend, limits)
        self.labels: list[str] = files.facts["labels"]
        self.function: str = files.facts["function"]
        """How logits become scores, unless the parameters say otherwise."""

    def preprocess(self, inputs: Sequence[Input], parameters: TextClassificationParameters) -> list[Item]:
        """Return the tokens of each text.

        Raises:
            InvalidInputError: A text is too long.
        """
        texts = [to_text(each) for each in inputs]
        return self.items(texts, self.tokenizer.encode(texts, parameters.truncate), parameters)

    def postprocess(self, outputs: Mapping[str, np.ndarray], items: Sequence[Item]) -> list[Output]:
        """Return the labels of each text, best first."""
        return [
            best_labels(logits, self.labels, item.parameters.function_to_apply or self.function, item.parameters.top_k)
            for logits, item in zip(outputs["logits"], items, strict=True)
        ]
