"""Training of sentence embeddings on pairs of texts.

Each text is trained to be nearest to its own partner among the partners in its batch (Henderson et al.,
arXiv:1705.00652), like MultipleNegativesRankingLoss of sentence-transformers.
"""

import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any

import numpy as np
import torch
from datasets import Dataset
from pydantic import Field
from safetensors.torch import save_file
from torch import nn
from transformers import AutoModel, AutoTokenizer, EvalPrediction

from ..backends.torch import load_pretrained, max_input_tokens
from ..training.task import Metric
from ..training.trainer import BaseLearner, TransformersTraining
from ..training.trainer_config import TrainerConfig
from .pooling import load_dense, pool
from .sentence_config import SentenceConfig


class EmbeddingConfig(TrainerConfig):
    """The configuration, with the columns of an example."""

    COLUMNS = ("anchor", "positive")

    anchor: str = "anchor"
    positive: str = "positive"
    max_tokens: Annotated[int, Field(ge=2)] = 256
    batch_size: Annotated[int, Field(ge=2)] = 32
    scale: Annotated[float, Field(gt=0)] = 20


class PairNetwork(nn.Module):
    """Embed pairs of texts as the served model does, and compute their loss."""

    def __init__(self, transformer: Any, dense: list[nn.Module], pooling: tuple[str, ...], scale: float) -> None:
        """Take the parts of the model, and the factor of the similarities."""
        super().__init__()
        self.transformer, self.dense = transformer, nn.ModuleList(dense)
        self._pooling, self._scale = pooling, scale

    def forward(
        self, anchor: dict[str, torch.Tensor], positive: dict[str, torch.Tensor], labels: torch.Tensor
    ) -> dict[str, torch.Tensor]:
        """Return the loss of a batch and the embeddings of its texts, (pairs, dimensions) each."""
        anchors, positives = self._embed(anchor), self._embed(positive)
        loss = nn.functional.cross_entropy(anchors @ positives.T * self._scale, labels)
        return {"loss": loss, "anchors": anchors, "positives": positives}

    def _embed(self, features: dict[str, torch.Tensor]) -> torch.Tensor:
        vectors = pool(self.transformer(**features).last_hidden_state, features["attention_mask"], self._pooling)
        for layer in self.dense:
            vectors = layer(vectors)
        return nn.functional.normalize(vectors)


class EmbeddingLearner(BaseLearner):
    """An embedding model with its tokenizer."""

    network: PairNetwork

    def __init__(self, folder: Path, config: EmbeddingConfig, examples: Dataset, trainable: bool = True) -> None:
        """Load the model."""
        self.folder, self.sentence = folder, SentenceConfig.read(folder)
        self.tokenizer = load_pretrained(AutoTokenizer, folder / self.sentence.transformer)
        transformer = load_pretrained(AutoModel, folder / self.sentence.transformer, dtype=torch.float32)
        dense = [load_dense(folder / each) for each in self.sentence.dense_folders]
        self.network = PairNetwork(transformer, dense, self.sentence.pooling, config.scale)
        longest = min(self.sentence.max_tokens, max_input_tokens(self.tokenizer, transformer))
        self.max_tokens = min(config.max_tokens, longest)

    def encode(self, batch: dict[str, list[Any]]) -> Mapping[str, Any]:
        """Tokenize the texts, truncated to `max_tokens`."""
        return {column: self._tokenize(batch[column]) for column in EmbeddingConfig.COLUMNS}

    def collate(self, features: list[Any]) -> dict[str, Any]:
        """Pad the texts of each column to the longest; the label of a text is the position of its partner."""
        columns = {
            column: dict(self.tokenizer.pad({"input_ids": [each[column] for each in features]}, return_tensors="pt"))
            for column in EmbeddingConfig.COLUMNS
        }
        return {**columns, "labels": torch.arange(len(features))}

    def compute_metrics(self, prediction: EvalPrediction) -> dict[str, float]:
        """Return the fraction of the texts that are nearest to their own partner among all held-out partners."""
        vectors: Any = prediction.predictions
        anchors, positives = vectors
        nearest = [int((positives @ anchor).argmax()) for anchor in anchors]
        return {"accuracy": float(np.mean(np.equal(nearest, range(len(anchors)))))}

    def save(self, folder: Path) -> None:
        """Write the weights and the tokenizer; copy every other file of the base model."""
        skipped = shutil.ignore_patterns("*.safetensors*", "*.bin*", "weights.json", "training.*")
        shutil.copytree(self.folder, folder, ignore=skipped, dirs_exist_ok=True)
        self.network.transformer.save_pretrained(folder / self.sentence.transformer)
        self.tokenizer.save_pretrained(folder / self.sentence.transformer)
        for name, layer in zip(self.sentence.dense_folders, self.network.dense, strict=True):
            linear = next(layer.children()).state_dict()
            tensors = {f"linear.{key}": value.contiguous() for key, value in linear.items()}
            save_file(tensors, folder / name / "model.safetensors")

    def _tokenize(self, texts: list[Any]) -> list[list[int]]:
        prompt = self.sentence.prompt(None)
        prepared = [prompt + str(text) for text in texts]
        if self.sentence.lower_case:
            prepared = [text.lower() for text in prepared]
        return self.tokenizer(prepared, truncation=True, max_length=self.max_tokens)["input_ids"]


class EmbeddingTraining(TransformersTraining[EmbeddingConfig]):
    """Train an embedding model."""

    Config = EmbeddingConfig
    Learner = EmbeddingLearner
    metric = Metric("accuracy", higher_is_better=True)
