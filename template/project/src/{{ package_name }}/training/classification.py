"""Parts of the training that all classifiers share: labels and accuracy."""

from pathlib import Path
from typing import Any

import torch
from datasets import ClassLabel, Dataset
from transformers import AutoConfig, EvalPrediction

from ..backends.torch import load_pretrained
from ..errors import InvalidInputError


class Labels:
    """The labels of examples, and the numbers that a network knows them by.

    Raises:
        InvalidInputError: All examples have the same label.
    """

    def __init__(self, examples: Dataset) -> None:
        """Collect the labels of the examples."""
        feature = examples.features["label"]
        self._name: Any = feature.int2str if isinstance(feature, ClassLabel) else str
        self.names = sorted({str(self._name(label)) for label in examples.unique("label")})
        if len(self.names) < 2:
            raise InvalidInputError(f"every example has the label {self.names[0]}: give examples of two labels or more")
        self._numbers: dict[str, int] = {}

    def load_network(self, auto_class: Any, folder: Path, trainable: bool) -> Any:
        """Load the classifier in a folder. Give a trainable one a new head if it lacks a label.

        Raises:
            ModelUnavailableError: The folder cannot be loaded.
            InvalidInputError: A classifier that is not trainable lacks a label.
        """
        known: dict[int, str] = load_pretrained(AutoConfig, folder).id2label
        options: dict[str, Any] = {}
        if missing := set(self.names) - set(known.values()):
            if not trainable:
                raise InvalidInputError(f"it does not know the label {min(missing)}")
            known = dict(enumerate(self.names))
            options = {"id2label": known, "ignore_mismatched_sizes": True}
        self._numbers = {name: number for number, name in known.items()}
        options |= {"label2id": self._numbers, "problem_type": "single_label_classification"}
        return load_pretrained(auto_class, folder, dtype=torch.float32, **options)

    def number(self, label: Any) -> int:
        """Return the network's number of a label."""
        return self._numbers[self._name(label)]


def accuracy(prediction: EvalPrediction) -> dict[str, float]:
    """Return the fraction of the examples whose label has the highest score."""
    logits = prediction.predictions[0] if isinstance(prediction.predictions, tuple) else prediction.predictions
    return {"accuracy": float((logits.argmax(axis=-1) == prediction.label_ids).mean())}
