"""Training of sentence embeddings on pairs of texts.

Each text is trained to be nearest to its own partner among the partners in its batch (Henderson et al.,
arXiv:1705.00652), like MultipleNegativesRankingLoss of sentence-transformers.
"""

import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, cast

import numpy as np
import torch
from datasets import Dataset
from pydantic import Field
from torch import nn
from transformers import EvalPrediction

from ..training.task import Metric
from ..training.trainer import BaseLearner, TransformersTraining
from ..training.trainer_config import TrainerConfig
from .graph import EmbeddingGraph
from .layers import Layer
from .sentence_config import SentenceConfig
from .text_graph import pad_tensors
from .tokenizer import Encoded


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

    def __init__(self, graph: EmbeddingGraph, scale: float) -> None:
        """Take the served graph, and the factor of the similarities."""
        super().__init__()
        self.graph, self._scale = graph, scale

    def forward(
        self, anchor: dict[str, torch.Tensor], positive: dict[str, torch.Tensor], labels: torch.Tensor
    ) -> dict[str, torch.Tensor]:
        """Return the loss of a batch and the embeddings of its texts, (pairs, dimensions) each."""
        anchors, positives = (nn.functional.normalize(self.graph(each)) for each in (anchor, positive))
        loss = nn.functional.cross_entropy(anchors @ positives.T * self._scale, labels)
        return {"loss": loss, "anchors": anchors, "positives": positives}


class EmbeddingLearner(BaseLearner):
    """An embedding model with its tokenizer."""

    network: PairNetwork

    def __init__(self, folder: Path, config: EmbeddingConfig, examples: Dataset, trainable: bool = True) -> None:
        """Load the model."""
        self.folder, self.sentence = folder, SentenceConfig.read(folder)
        graph = EmbeddingGraph.load(folder, torch.device("cpu"))
        self.tokenizer = graph.preprocessor.truncated(config.max_tokens)
        self.network = PairNetwork(graph, config.scale)

    def encode(self, batch: dict[str, list[Any]]) -> Mapping[str, Any]:
        """Tokenize the texts, truncated to `max_tokens`."""
        return {column: self._tokenize(batch[column]) for column in EmbeddingConfig.COLUMNS}

    def collate(self, features: list[Any]) -> dict[str, Any]:
        """Pad the texts of each column to the longest; the label of a text is the position of its partner."""
        columns = {
            column: pad_tensors(self.tokenizer, [each[column] for each in features])
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
        graph = self.network.graph
        graph.network.save_pretrained(folder / self.sentence.transformer)
        self.tokenizer.tokenizer.save_pretrained(folder / self.sentence.transformer)
        for (_, path), layer in zip(self.sentence.layers, graph.layers, strict=True):
            cast(Layer, layer).save(folder / path)

    def _tokenize(self, texts: list[Any]) -> list[Encoded]:
        prompt = self.sentence.prompt(None)
        prepared = [prompt + str(text) for text in texts]
        if self.sentence.lower_case:
            prepared = [text.lower() for text in prepared]
        return self.tokenizer.encode(prepared, truncate=True)


class EmbeddingTraining(TransformersTraining[EmbeddingConfig]):
    """Train an embedding model."""

    Config = EmbeddingConfig
    Learner = EmbeddingLearner
    metric = Metric("accuracy", higher_is_better=True)
