"""Sentence embeddings with ONNX Runtime, pooled and normalised as the model was trained."""

from collections.abc import Sequence

import numpy as np

from .batches import Budget, Item
from .exported import ExportedPredictor
from .onnx_tokenizer import OnnxTokenizer
from .predictor import InvalidParameter
from .sentence import SentenceConfig
from .settings import Settings
from .task import Parameters


class OnnxPredictor(ExportedPredictor):
    """Texts to vectors. Loads what `export` made; raises ModelUnavailable."""

    def __init__(self, settings: Settings) -> None:
        super().__init__(settings)
        self.budget = Budget(settings.max_batch_size, settings.max_batch_tokens, settings.max_padding)
        self._tokenizer = OnnxTokenizer(self._exported)
        self._config = SentenceConfig(**self._exported.facts["sentence"])
        self._width: int = self._exported.facts["width"]

    def prepare(self, inputs: Sequence[str], parameters: Parameters) -> list[Item]:
        """The ids of each text. Raises InvalidInput for a text that is too long, a prompt or a size unknown."""
        if (parameters.dimensions or 0) > self._width:
            raise InvalidParameter(f"dimensions: the model gives {self._width}, not {parameters.dimensions}")
        prompt = self._config.prompt(parameters.prompt_name)
        prepared = [prompt + text for text in inputs]
        if self._config.lower_case:
            prepared = [text.lower() for text in prepared]
        encoded = self._tokenizer.encode(prepared, parameters.truncate, parameters.truncation_direction)
        return [Item(ids, parameters, len(ids)) for ids in encoded]

    def compute(self, batch: Sequence[Item]) -> list[list[float]]:
        """A vector for each text."""
        vectors = self._run(**self._tokenizer.pad([item.value for item in batch]))
        return [self._finish(vector, item.parameters) for vector, item in zip(vectors, batch, strict=True)]

    def _finish(self, vector: np.ndarray, parameters: Parameters) -> list[float]:
        vector = vector[: parameters.dimensions]
        if self._config.normalize if parameters.normalize is None else parameters.normalize:
            vector = vector / max(float(np.linalg.norm(vector)), 1e-12)
        return vector.tolist()
