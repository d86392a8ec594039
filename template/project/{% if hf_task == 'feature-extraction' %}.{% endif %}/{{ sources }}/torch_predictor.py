"""Sentence embeddings with torch, pooled and normalised as the model was trained."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch
from transformers import AutoModel, AutoTokenizer

from .predictor import InvalidParameter
from .sentence import SentenceConfig, pool
from .settings import Settings
from .task import Parameters
from .torch_model import in_batches, load, load_network, longest_input, refuse_longer
from .weights import identify


class TorchPredictor:
    """Texts to vectors. Loads from a folder; raises ModelUnavailable."""

    def __init__(self, folder: Path, settings: Settings) -> None:
        self.model, self.revision = identify(settings)
        self._batch_size = settings.max_batch_size
        self._config = SentenceConfig.read(folder)
        self._tokenizer = load(AutoTokenizer, folder / self._config.transformer)
        self._network = load_network(AutoModel, folder / self._config.transformer, settings)
        self._dense = [layer.to(self._network.device) for layer in self._config.dense(folder)]
        self._longest = min(self._config.max_tokens, longest_input(self._tokenizer, self._network))

    def predict(self, inputs: Sequence[str], parameters: Parameters) -> list[list[float]]:
        """A vector for each text. Raises InvalidInput for a text that is too long, a prompt or a size unknown."""
        encoded = self._encode(inputs, parameters)
        vectors: list[list[float]] = in_batches(
            encoded, len, self._batch_size, lambda batch: self._embed(batch, parameters).tolist()
        )
        return vectors

    def count_tokens(self, inputs: Sequence[str]) -> int:
        """Tokens in the texts, special ones included."""
        return sum(map(len, self._tokenizer(list(inputs))["input_ids"]))

    def _encode(self, texts: Sequence[str], parameters: Parameters) -> list[list[int]]:
        prompt = self._config.prompt(parameters.prompt_name)
        self._tokenizer.truncation_side = parameters.truncation_direction
        prepared = [prompt + text for text in texts]
        if self._config.lower_case:
            prepared = [text.lower() for text in prepared]
        encoded: list[list[int]] = self._tokenizer(
            prepared, truncation=parameters.truncate, max_length=self._longest, verbose=False
        )["input_ids"]
        refuse_longer(encoded, self._longest)
        return encoded

    def _embed(self, batch: list[list[int]], parameters: Parameters) -> torch.Tensor:
        features: Any = self._tokenizer.pad({"input_ids": batch}, return_tensors="pt").to(self._network.device)
        tokens = self._network(**features).last_hidden_state
        vectors = pool(tokens, features["attention_mask"], self._config.pooling)
        for layer in self._dense:
            vectors = layer(vectors)
        if parameters.dimensions is not None:
            if parameters.dimensions > vectors.shape[1]:
                raise InvalidParameter(f"dimensions: the model gives {vectors.shape[1]}, not {parameters.dimensions}")
            vectors = vectors[:, : parameters.dimensions]
        if self._config.normalize if parameters.normalize is None else parameters.normalize:
            vectors = torch.nn.functional.normalize(vectors, dim=1)
        return vectors.float().cpu()
