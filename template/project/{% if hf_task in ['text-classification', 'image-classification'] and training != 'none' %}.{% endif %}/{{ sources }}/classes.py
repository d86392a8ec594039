"""The labels of a classifier: those that it knows, or those of the examples for one that begins to learn."""

from pathlib import Path
from typing import Any

import torch
from datasets import ClassLabel, Dataset
from transformers import AutoConfig, EvalPrediction

from .predictor import InvalidInput
from .torch_model import load


class Labels:
    """Numbers of the labels that examples have."""

    def __init__(self, examples: Dataset) -> None:
        """Raises InvalidInput where there are not two of them."""
        feature = examples.features["label"]
        self._name: Any = feature.int2str if isinstance(feature, ClassLabel) else str
        self.names = sorted({str(self._name(label)) for label in examples.unique("label")})
        if len(self.names) < 2:
            raise InvalidInput(f"every example has the label {self.names[0]}: there is nothing to tell apart")
        self._numbers: dict[str, int] = {}

    def load_network(self, auto_class: Any, folder: Path, learns: bool) -> Any:
        """The classifier in a folder, which is given another head for labels that it does not know, if it learns.

        Raises ModelUnavailable, and InvalidInput for such a one that does not learn.
        """
        known: dict[int, str] = load(AutoConfig, folder).id2label
        options: dict[str, Any] = {}
        if missing := set(self.names) - set(known.values()):
            if not learns:
                raise InvalidInput(f"it does not know the label {min(missing)}")
            known = dict(enumerate(self.names))
            options = {"id2label": known, "ignore_mismatched_sizes": True}
        self._numbers = {name: number for number, name in known.items()}
        options |= {"label2id": self._numbers, "problem_type": "single_label_classification"}
        return load(auto_class, folder, dtype=torch.float32, **options)

    def number(self, label: Any) -> int:
        """The number that the network knows a label of the examples by."""
        return self._numbers[self._name(label)]


def accuracy(prediction: EvalPrediction) -> dict[str, float]:
    """The part of the examples whose label comes first."""
    logits = prediction.predictions[0] if isinstance(prediction.predictions, tuple) else prediction.predictions
    return {"accuracy": float((logits.argmax(axis=-1) == prediction.label_ids).mean())}
