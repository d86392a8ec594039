"""Training of a ranking model on queries with passages and labels.

The loss is the binary cross-entropy of the logits, like BinaryCrossEntropyLoss of sentence-transformers.
"""

import hashlib
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import Annotated, Any

import numpy as np
import torch
from datasets import Dataset
from pydantic import Field
from torch import nn
from transformers import AutoConfig, AutoModelForSequenceClassification, EvalPrediction

from ..backends.torch import load_pretrained
from ..errors import InvalidInputError
from ..training.dataset import Examples
from ..training.task import Metric
from ..training.trainer import BaseLearner, TransformersTraining
from ..training.trainer_config import TrainerConfig
from .cross_encoder import CrossEncoderConfig
from .graph import FUNCTIONS, TextRankingGraph, ranking_facts
from .text_graph import load_tokenizer, pad_tensors

CUTOFF = 10
"""Number of passages, best first, that the NDCG of a query counts."""


class TextRankingConfig(TrainerConfig):
    """The configuration, with the columns of an example."""

    COLUMNS = ("query", "passage", "label")

    query: str = "query"
    passage: str = "passage"
    label: str = "label"
    max_tokens: Annotated[int, Field(ge=3)] = 512


class RankingNetwork(nn.Module):
    """Score pairs as the served model does, and compute their loss."""

    def __init__(self, graph: TextRankingGraph) -> None:
        """Take the served graph."""
        super().__init__()
        self.graph = graph

    def forward(self, pairs: dict[str, torch.Tensor], queries: torch.Tensor, labels: torch.Tensor) -> dict[str, Any]:
        """Return the loss of a batch, the logit of each pair and the number of its query."""
        logits = self.graph(pairs)
        loss = nn.functional.binary_cross_entropy_with_logits(logits, labels)
        return {"loss": loss, "logits": logits, "queries": queries}


class TextRankingLearner(BaseLearner):
    """A ranking model with its tokenizer."""

    network: RankingNetwork

    def __init__(self, folder: Path, config: TextRankingConfig, examples: Dataset, trainable: bool = True) -> None:
        """Load the model. A trainable one gets a new head if it was not made for a ranking."""
        graph = _trainable(folder) if trainable else TextRankingGraph.load(folder, torch.device("cpu"))
        self.tokenizer = graph.preprocessor.truncated(config.max_tokens)
        self.network = RankingNetwork(graph)

    def encode(self, batch: dict[str, list[Any]]) -> Mapping[str, Any]:
        """Tokenize the pairs, truncated to `max_tokens`, and number the queries."""
        pairs = [(str(query), str(text)) for query, text in zip(batch["query"], batch["passage"], strict=True)]
        return {
            "pair": self.tokenizer.encode(pairs, truncate=True),
            "query": [_number(query) for query, _ in pairs],
            "label": [_label(label) for label in batch["label"]],
        }

    def collate(self, features: list[Any]) -> dict[str, Any]:
        """Pad the pairs to the longest."""
        return {
            "pairs": pad_tensors(self.tokenizer, [each["pair"] for each in features]),
            "queries": torch.tensor([each["query"] for each in features]),
            "labels": torch.tensor([each["label"] for each in features]),
        }

    def compute_metrics(self, prediction: EvalPrediction) -> dict[str, float]:
        """Return the mean NDCG of the held-out queries whose passages have different labels."""
        outputs: Any = prediction.predictions
        logits, queries = outputs
        labels: Any = prediction.label_ids
        groups = [queries == query for query in np.unique(queries)]
        gains = [ndcg(logits[group], labels[group]) for group in groups if len(set(labels[group])) > 1]
        return {"ndcg": float(np.mean(gains))}

    def save(self, folder: Path) -> None:
        """Write the network and the tokenizer."""
        graph = self.network.graph
        config, tokenizer = graph.network.config, graph.preprocessor.tokenizer
        # A version has no files of sentence-transformers, so what these say of the model goes elsewhere.
        saved = getattr(config, "sentence_transformers", None) or {}
        config.sentence_transformers = {**saved, "activation_fn": FUNCTIONS[graph.facts["function"]]}
        if (longest := graph.preprocessor.facts.max_tokens) is not None:
            tokenizer.model_max_length = longest
        graph.network.save_pretrained(folder)
        tokenizer.save_pretrained(folder)


class TextRankingTraining(TransformersTraining[TextRankingConfig]):
    """Train a ranking model."""

    Config = TextRankingConfig
    Learner = TextRankingLearner
    metric = Metric("ndcg", higher_is_better=True)

    def load_data(self, cache: Path) -> Examples:
        """Read the examples that the configuration names.

        Raises:
            InvalidInputError: A label is not a number from 0 to 1, or the metric is the NDCG and no held-out query has
                passages of different labels.
        """
        data = super().load_data(cache)
        labels: dict[str, set[float]] = {}
        for query, label in zip(data.held_out["query"], data.held_out["label"], strict=True):
            labels.setdefault(str(query), set()).add(_label(label))
        if self.metric.name == "ndcg" and all(len(each) < 2 for each in labels.values()):
            raise InvalidInputError(
                f"{self.config.data}: no held-out query has passages of different labels, so no ranking can be "
                "evaluated: give more examples or a larger holdout, or set the metric in training_task.py to the loss"
            )
        return data


def ndcg(scores: np.ndarray, labels: np.ndarray) -> float:
    """Return the normalised discounted cumulative gain of the passages of one query, from 0 to 1.

    Args:
        scores: By which the passages are ranked.
        labels: How relevant each is; at least one is above 0.
    """
    ranked = labels[np.argsort(-scores, kind="stable")]
    return _gain(ranked) / _gain(-np.sort(-labels))


def _gain(ranked: np.ndarray) -> float:
    best = ranked[:CUTOFF]
    return float(np.sum(best / np.log2(np.arange(2, len(best) + 2))))


def _trainable(folder: Path) -> TextRankingGraph:
    """Return the graph of the model in a folder, with a new head if it has none of one label."""
    config = CrossEncoderConfig.read(folder)
    transformer = folder / config.transformer
    known = load_pretrained(AutoConfig, transformer)
    if known.num_labels == 1:
        network = load_pretrained(AutoModelForSequenceClassification, transformer, dtype=torch.float32)
        facts = ranking_facts(network.config, folder)
    else:
        options = {"dtype": torch.float32, "num_labels": 1, "ignore_mismatched_sizes": True}
        network = load_pretrained(AutoModelForSequenceClassification, transformer, **options)
        facts = {"function": "sigmoid"}
    return TextRankingGraph.assemble(network.eval(), load_tokenizer(transformer), facts, config.max_tokens)


def _number(query: str) -> int:
    """Return a number of a query that depends on its text alone."""
    return int.from_bytes(hashlib.blake2b(query.encode(), digest_size=7).digest())


def _label(given: Any) -> float:
    """Return a label as a number.

    Raises:
        InvalidInputError: It is not a number from 0 to 1.
    """
    label = -1.0
    with suppress(TypeError, ValueError):
        label = float(given)
    if not 0 <= label <= 1:
        raise InvalidInputError(f"label: {given!r} is not a number from 0, not relevant, to 1")
    return label
