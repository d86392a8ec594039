"""Training of a text classifier: how examples are encoded, and the metric that decides."""

from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any

import torch
from datasets import Dataset
from pydantic import Field
from transformers import AutoModelForSequenceClassification, EvalPrediction

from ..training.classification import Labels, accuracy
from ..training.task import Metric
from ..training.trainer import BaseLearner, TransformersTraining
from ..training.trainer_config import TrainerConfig
from .graph import TextClassificationGraph
from .text_graph import load_tokenizer, pad_tensors


class TextClassificationConfig(TrainerConfig):
    """The configuration, with the columns of an example."""

    COLUMNS = ("text", "label")

    text: str = "text"
    label: str = "label"
    max_tokens: Annotated[int, Field(ge=2)] = 256


class TextClassificationLearner(BaseLearner):
    """A classifier with its tokenizer."""

    def __init__(
        self, folder: Path, config: TextClassificationConfig, examples: Dataset, trainable: bool = True
    ) -> None:
        """Load the model, with a new head for labels that it does not know."""
        self.labels = Labels(examples)
        self.network = self.labels.load_network(AutoModelForSequenceClassification, folder, trainable)
        graph = TextClassificationGraph.assemble(self.network, load_tokenizer(folder))
        self.tokenizer = graph.preprocessor.truncated(config.max_tokens)

    def encode(self, batch: dict[str, list[Any]]) -> Mapping[str, Any]:
        """Tokenize the texts, truncated to `max_tokens`, and number the labels."""
        texts = [str(text) for text in batch["text"]]
        encoded = self.tokenizer.encode(texts, truncate=True)
        return {"text": encoded, "labels": [self.labels.number(label) for label in batch["label"]]}

    def collate(self, features: list[Any]) -> dict[str, Any]:
        """Pad the texts to the longest."""
        labels = torch.tensor([each["labels"] for each in features])
        return {**pad_tensors(self.tokenizer, [each["text"] for each in features]), "labels": labels}

    def compute_metrics(self, prediction: EvalPrediction) -> dict[str, float]:
        """Return the accuracy."""
        return accuracy(prediction)

    def save(self, folder: Path) -> None:
        """Write the network and the tokenizer."""
        self.network.save_pretrained(folder)
        self.tokenizer.tokenizer.save_pretrained(folder)


class TextClassificationTraining(TransformersTraining[TextClassificationConfig]):
    """Train a classifier of texts."""

    Config = TextClassificationConfig
    Learner = TextClassificationLearner
    metric = Metric("accuracy", higher_is_better=True)
