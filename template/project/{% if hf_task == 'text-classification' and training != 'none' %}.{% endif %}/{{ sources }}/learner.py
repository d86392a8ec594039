"""What is learned: the labels of texts. How an example is encoded, and what a model is judged by."""

from pathlib import Path
from typing import Annotated, Any

from datasets import Dataset
from pydantic import Field
from transformers import AutoModelForSequenceClassification, AutoTokenizer, DataCollatorWithPadding

from .classes import Labels, accuracy
from .recipe import Recipe
from .torch_model import load, longest_input

METRIC = "accuracy"
HIGHER_IS_BETTER = True


class Training(Recipe):
    """How to train, and on which columns."""

    COLUMNS = ("text", "label")

    text: str = "text"
    label: str = "label"
    max_tokens: Annotated[int, Field(ge=2)] = 256


class Learner:
    """A model that learns, or is judged, with all that a Trainer wants to know of it."""

    def __init__(self, folder: Path, training: Training, examples: Dataset, learns: bool = True) -> None:
        """Raises ModelUnavailable, and InvalidInput where the examples do not fit."""
        self.labels = Labels(examples)
        self.tokenizer = load(AutoTokenizer, folder)
        self.network = self.labels.load_network(AutoModelForSequenceClassification, folder, learns)
        self.longest = min(training.max_tokens, longest_input(self.tokenizer, self.network))
        self.collate = DataCollatorWithPadding(self.tokenizer)
        self.measure = accuracy

    def encode(self, batch: dict[str, list[Any]]) -> dict[str, list[Any]]:
        """What the network takes, of examples to learn from; a long text is cut."""
        texts = [str(text) for text in batch["text"]]
        features = self.tokenizer(texts, truncation=True, max_length=self.longest)
        return {**features, "labels": [self.labels.number(label) for label in batch["label"]]}

    encode_to_judge = encode

    def save(self, folder: Path) -> None:
        """Writes the model, as it is to be published."""
        self.network.save_pretrained(folder)
        self.tokenizer.save_pretrained(folder)
