"""Sentence embeddings with torch, pooled and normalised as the model was trained."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch
from transformers import AutoModel, AutoTokenizer

from .batches import Budget, Item
from .pooling import load_dense, pool, vector_width
from .predictor import InvalidParameter, Predictor
from .sentence import SentenceConfig
from .settings import Settings
from .task import Parameters
from .text_length import refuse_longer
from .torch_cores import TorchCores
from .torch_model import load, load_network, longest_input
from .weights import identify


class TorchPredictor(Predictor):
    """Texts to vectors. Loads from a folder; raises ModelUnavailable."""

    def __init__(self, folder: Path, settings: Settings) -> None:
        self.model, self.revision = identify(settings)
        self.budget = Budget(settings.max_batch_size, settings.max_batch_tokens, settings.max_padding)
        self.config = SentenceConfig.read(folder)
        self.tokenizer = load(AutoTokenizer, folder / self.config.transformer)
        self.network = load_network(AutoModel, folder / self.config.transformer, settings)
        self._cores = TorchCores(self.network.device, settings.streams)
        self.streams = self._cores.streams
        self.dense = [load_dense(folder / each).to(self.network.device) for each in self.config.dense_folders]
        self.width = vector_width(self.network.config.hidden_size, self.config.pooling, self.dense)
        self.longest = min(self.config.max_tokens, longest_input(self.tokenizer, self.network))

    def prepare(self, inputs: Sequence[str], parameters: Parameters) -> list[Item]:
        """The ids of each text. Raises InvalidInput for a text that is too long, a prompt or a size unknown."""
        if (parameters.dimensions or 0) > self.width:
            raise InvalidParameter(f"dimensions: the model gives {self.width}, not {parameters.dimensions}")
        prompt = self.config.prompt(parameters.prompt_name)
        self.tokenizer.truncation_side = parameters.truncation_direction
        prepared = [prompt + text for text in inputs]
        if self.config.lower_case:
            prepared = [text.lower() for text in prepared]
        encoded: list[list[int]] = self.tokenizer(
            prepared, truncation=parameters.truncate, max_length=self.longest, verbose=False
        )["input_ids"]
        refuse_longer(encoded, self.longest)
        return [Item(ids, parameters, len(ids)) for ids in encoded]

    @torch.inference_mode()
    def compute(self, batch: Sequence[Item]) -> list[list[float]]:
        """A vector for each text."""
        ids = [item.value for item in batch]
        features: Any = self.tokenizer.pad({"input_ids": ids}, return_tensors="pt").to(self.network.device)
        with self._cores.shared():
            tokens = self.network(**features).last_hidden_state
        vectors = pool(tokens, features["attention_mask"], self.config.pooling)
        for layer in self.dense:
            vectors = layer(vectors)
        return [
            self._finish(vector, item.parameters) for vector, item in zip(vectors.float().cpu(), batch, strict=True)
        ]

    def _finish(self, vector: torch.Tensor, parameters: Parameters) -> list[float]:
        vector = vector[: parameters.dimensions]
        if self.config.normalize if parameters.normalize is None else parameters.normalize:
            vector = torch.nn.functional.normalize(vector, dim=0)
        return vector.tolist()
