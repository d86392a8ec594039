"""Sentence embeddings, pooled and normalised as the model was trained."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from ..backends.base import Backend, ModelFiles
from ..errors import InvalidParameterError
from ..inference.batching import BatchLimits, Item
from .schemas import EmbeddingParameters, Output
from .sentence_config import SentenceConfig
from .text_model import TextModel


class EmbeddingModel(TextModel[str, Any, Any]):
    """Texts to vectors."""

    def __init__(self, files: ModelFiles, backend: Backend, limits: BatchLimits) -> None:
        super().__init__(files, backend, limits)
        self.config = SentenceConfig(**files.facts["sentence"])
        self.width: int = files.facts["width"]
        """Dimensions of a vector."""

    def preprocess(self, inputs: Sequence[str], parameters: EmbeddingParameters) -> list[Item]:
        """Return the tokens of each text, behind the prompt.

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
        return self.items(texts, encoded, parameters)

    def postprocess(self, outputs: Mapping[str, np.ndarray], items: Sequence[Item]) -> list[Output]:
        """Return a vector for each text, truncated and normalised as its parameters say."""
        return [self._finish(vector, item.parameters) for vector, item in zip(outputs["vectors"], items, strict=True)]

    def _finish(self, vector: np.ndarray, parameters: EmbeddingParameters) -> Output:
        normalize = self.config.normalize if parameters.normalize is None else parameters.normalize
        if parameters.dimensions is None and self.config.truncate_dim is not None:
            # sentence_transformers cuts what the last module returns, and normalises again only if it is asked to.
            vector = _normalized(vector) if normalize else vector
            vector, normalize = vector[: self.config.truncate_dim], parameters.normalize is True
        vector = vector[: parameters.dimensions]
        return list((_normalized(vector) if normalize else vector).tolist())


def _normalized(vector: np.ndarray) -> np.ndarray:
    return vector / max(float(np.linalg.norm(vector)), 1e-12)
