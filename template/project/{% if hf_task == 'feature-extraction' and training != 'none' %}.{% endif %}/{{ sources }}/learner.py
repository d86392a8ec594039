"""What is learned: which texts belong together. How an example is encoded, and what a model is judged by.

Each text is to be nearest to its own partner among those of its batch (Henderson et al., arXiv:1705.00652), as with
MultipleNegativesRankingLoss of sentence-transformers.
"""

import shutil
from pathlib import Path
from typing import Annotated, Any

import numpy as np
import torch
from datasets import Dataset
from pydantic import Field
from safetensors.torch import save_file
from torch import nn
from transformers import AutoModel, AutoTokenizer, EvalPrediction

from .pooling import load_dense, pool
from .recipe import Recipe
from .sentence import SentenceConfig
from .torch_model import load, longest_input

METRIC = "accuracy"
HIGHER_IS_BETTER = True


class Training(Recipe):
    """How to train, and on which columns."""

    COLUMNS = ("anchor", "positive")

    anchor: str = "anchor"
    positive: str = "positive"
    max_tokens: Annotated[int, Field(ge=2)] = 256
    batch_size: Annotated[int, Field(ge=2)] = 32
    scale: Annotated[float, Field(gt=0)] = 20


class Pairs(nn.Module):
    """Makes vectors of texts as the model does, and a loss of how near they are to each other."""

    def __init__(self, network: Any, dense: list[nn.Module], pooling: tuple[str, ...], scale: float) -> None:
        super().__init__()
        self.network, self.dense = network, nn.ModuleList(dense)
        self._pooling, self._scale = pooling, scale

    def forward(
        self, anchor: dict[str, torch.Tensor], positive: dict[str, torch.Tensor], labels: torch.Tensor
    ) -> dict[str, torch.Tensor]:
        """The loss of a batch, and the vectors of its texts."""
        anchors, positives = self._vectors(anchor), self._vectors(positive)
        loss = nn.functional.cross_entropy(anchors @ positives.T * self._scale, labels)
        return {"loss": loss, "anchors": anchors, "positives": positives}

    def _vectors(self, features: dict[str, torch.Tensor]) -> torch.Tensor:
        vectors = pool(self.network(**features).last_hidden_state, features["attention_mask"], self._pooling)
        for layer in self.dense:
            vectors = layer(vectors)
        return nn.functional.normalize(vectors)


class Learner:
    """A model that learns, or is judged, with all that a Trainer wants to know of it."""

    def __init__(self, folder: Path, training: Training, examples: Dataset, learns: bool = True) -> None:
        """Raises ModelUnavailable."""
        self.folder, self.sentence = folder, SentenceConfig.read(folder)
        self.tokenizer = load(AutoTokenizer, folder / self.sentence.transformer)
        transformer = load(AutoModel, folder / self.sentence.transformer, dtype=torch.float32)
        dense = [load_dense(folder / each) for each in self.sentence.dense_folders]
        self.network = Pairs(transformer, dense, self.sentence.pooling, training.scale)
        longest = min(self.sentence.max_tokens, longest_input(self.tokenizer, transformer))
        self.longest = min(training.max_tokens, longest)

    def encode(self, batch: dict[str, list[Any]]) -> dict[str, list[list[int]]]:
        """The ids of both texts, of examples to learn from; a long text is cut."""
        return {column: self._ids(texts) for column, texts in batch.items()}

    encode_to_judge = encode

    def _ids(self, texts: list[Any]) -> list[list[int]]:
        prompt = self.sentence.prompt(None)
        prepared = [prompt + str(text) for text in texts]
        if self.sentence.lower_case:
            prepared = [text.lower() for text in prepared]
        return self.tokenizer(prepared, truncation=True, max_length=self.longest)["input_ids"]

    def collate(self, features: list[dict[str, list[int]]]) -> dict[str, Any]:
        """A batch of them, in which the partner of each text has its number."""
        columns = {
            column: dict(self.tokenizer.pad({"input_ids": [each[column] for each in features]}, return_tensors="pt"))
            for column in Training.COLUMNS
        }
        return {**columns, "labels": torch.arange(len(features))}

    def measure(self, prediction: EvalPrediction) -> dict[str, float]:
        """The part of the texts that are nearest to their own partner, among the partners of all of them."""
        vectors: Any = prediction.predictions
        anchors, positives = vectors
        nearest = [int((positives @ anchor).argmax()) for anchor in anchors]
        return {"accuracy": float(np.mean(np.equal(nearest, range(len(anchors)))))}

    def save(self, folder: Path) -> None:
        """Writes the model, as it is to be published: what is beside the weights stays as it is."""
        weights = shutil.ignore_patterns("*.safetensors*", "*.bin*", "weights.json", "training.*")
        shutil.copytree(self.folder, folder, ignore=weights)
        self.network.network.save_pretrained(folder / self.sentence.transformer)
        self.tokenizer.save_pretrained(folder / self.sentence.transformer)
        for name, layer in zip(self.sentence.dense_folders, self.network.dense, strict=True):
            linear = next(layer.children()).state_dict()
            tensors = {f"linear.{key}": value.contiguous() for key, value in linear.items()}
            save_file(tensors, folder / name / "model.safetensors")
