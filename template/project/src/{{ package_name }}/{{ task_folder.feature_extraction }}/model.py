"""Sentence embeddings, pooled and normalised as the model was trained."""

from collections.abc import Mapping, Sequence
from typing import Any, Self

import numpy as np

from ..backends.base import Backend, BackendModel, ModelFiles
from ..base_settings import ServiceSettings
from ..errors import InvalidParameterError
from ..inference.batching import BatchLimits, Item
from .schemas import EmbeddingParameters, Output
from .sentence_config import SentenceConfig
from .tokenizer import TextTokenizer


class EmbeddingModel(BackendModel[str, Any, Any]):
    """Texts to vectors."""

    def __init__(self, files: ModelFiles, backend: Backend, limits: BatchLimits) -> None:
        super().__init__(files, backend, limits)
        self.tokenizer: TextTokenizer = files.preprocessor
        self.config = SentenceConfig(**files.facts["sentence"])
        self.width: int = files.facts["width"]
        """Dimensions of a vector."""

    @classmethod
    def load(cls, files: ModelFiles, backend: Backend, settings: ServiceSettings) -> Self:
        """Return the model, ready to predict."""
        limits = BatchLimits(settings.max_batch_size, settings.max_batch_tokens, settings.max_padding)
        return cls(files, backend, limits)

    def preprocess(self, inputs: Sequence[str], parameters: EmbeddingParameters) -> list[Item]:
        """Return the token ids of each text, behind the prompt.

        Raises:
            InvalidInputError: A text is too long.
            InvalidParameterError: The model has no such prompt or fewer dimensions.
        """
        if (parameters.dimensions or 0) > self.width:
            raise InvalidParameterError(f"dimensions: the model has {self.width}, not {parameters.dimensions}")
        prompt = self.config.prompt(parameters.prompt_name)
        texts = [prompt + text for text in inputs]
        if self.config.lower_case:
            texts = [text.lower() for text in texts]
        encoded = self.tokenizer.encode(texts, parameters.truncate, parameters.truncation_direction)
        return [Item(ids, parameters, len(ids)) for ids in encoded]

    def collate(self, items: Sequence[Item]) -> dict[str, np.ndarray]:
        """Return padded token ids and their mask."""
        return self.tokenizer.pad([item.value for item in items])

    def postprocess(self, outputs: Mapping[str, np.ndarray], items: Sequence[Item]) -> list[Output]:
        """Return a vector for each text, truncated and normalised as its parameters say."""
        return [self._finish(vector, item.parameters) for vector, item in zip(outputs["vectors"], items, strict=True)]

    def _finish(self, vector: np.ndarray, parameters: EmbeddingParameters) -> Output:
        vector = vector[: parameters.dimensions]
        if self.config.normalize if parameters.normalize is None else parameters.normalize:
            vector = vector / max(float(np.linalg.norm(vector)), 1e-12)
        return list(vector.tolist())
