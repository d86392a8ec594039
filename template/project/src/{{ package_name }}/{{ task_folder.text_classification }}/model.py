"""Text classification."""

from collections.abc import Mapping, Sequence
from typing import Any, ClassVar, Self

import numpy as np

from ..backends.base import Backend, BackendModel, ModelFiles
from ..base_settings import ServiceSettings
from ..inference.batching import BatchLimits, Item
from .labels import best_labels
from .schemas import Output, TextClassificationParameters
from .tokenizer import TextTokenizer


class TextClassificationModel(BackendModel[str, Any, Any]):
    """Texts to labels with scores."""

    nest_single_output: ClassVar[bool] = True

    def __init__(self, files: ModelFiles, backend: Backend, limits: BatchLimits) -> None:
        super().__init__(files, backend, limits)
        self.tokenizer: TextTokenizer = files.preprocessor
        self.labels: list[str] = files.facts["labels"]
        self.multi_label: bool = files.facts["multi_label"]

    @classmethod
    def load(cls, files: ModelFiles, backend: Backend, settings: ServiceSettings) -> Self:
        """Return the model, ready to predict."""
        limits = BatchLimits(settings.max_batch_size, settings.max_batch_tokens, settings.max_padding)
        return cls(files, backend, limits)

    def preprocess(self, inputs: Sequence[str], parameters: TextClassificationParameters) -> list[Item]:
        """Return the token ids of each text.

        Raises:
            InvalidInputError: A text is too long.
        """
        return [Item(ids, parameters, len(ids)) for ids in self.tokenizer.encode(inputs, parameters.truncate)]

    def collate(self, items: Sequence[Item]) -> dict[str, np.ndarray]:
        """Return padded token ids and their mask."""
        return self.tokenizer.pad([item.value for item in items])

    def postprocess(self, outputs: Mapping[str, np.ndarray], items: Sequence[Item]) -> list[Output]:
        """Return the labels of each text, best first."""
        return [
            best_labels(logits, self.labels, item.parameters.function_to_apply, self.multi_label, item.parameters.top_k)
            for logits, item in zip(outputs["logits"], items, strict=True)
        ]
