"""Training of a text classifier: how examples are encoded, and the metric that decides."""

from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any

from datasets import Dataset
from pydantic import Field
from transformers import AutoModelForSequenceClassification, AutoTokenizer, DataCollatorWithPadding, EvalPrediction

from ..backends.torch import load_pretrained, max_input_tokens
from ..training.classification import Labels, accuracy
from ..training.task import Metric
from ..training.trainer import BaseLearner, TransformersTraining
from ..training.trainer_config import TrainerConfig


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
        self.tokenizer = load_pretrained(AutoTokenizer, folder)
        self.network = self.labels.load_network(AutoModelForSequenceClassification, folder, trainable)
        self.max_tokens = min(config.max_tokens, max_input_tokens(self.tokenizer, self.network))
        self._pad = DataCollatorWithPadding(self.tokenizer)

    def encode(self, batch: dict[str, list[Any]]) -> Mapping[str, Any]:
        """Tokenize the texts, truncated to `max_tokens`, and number the labels."""
        texts = [str(text) for text in batch["text"]]
        features = self.tokenizer(texts, truncation=True, max_length=self.max_tokens)
        return {**features, "labels": [self.labels.number(label) for label in batch["label"]]}

    def collate(self, features: list[Any]) -> dict[str, Any]:
        """Pad the texts to the longest."""
        return dict(self._pad(features))

    def compute_metrics(self, prediction: EvalPrediction) -> dict[str, float]:
        """Return the accuracy."""
        return accuracy(prediction)

    def save(self, folder: Path) -> None:
        """Write the network and the tokenizer."""
        self.network.save_pretrained(folder)
        self.tokenizer.save_pretrained(folder)


class TextClassificationTraining(TransformersTraining[TextClassificationConfig]):
    """Train a classifier of texts."""

    Config = TextClassificationConfig
    Learner = TextClassificationLearner
    metric = Metric("accuracy", higher_is_better=True)
