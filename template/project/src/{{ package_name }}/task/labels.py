"""Labels with scores, from the logits of a classifier."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from typing_extensions import TypedDict

from ..errors import ModelUnavailableError
from .activation import activate, saved_function


class Label(TypedDict):
    """A label and its score, from 0 to 1 unless the parameters say otherwise."""

    label: str
    score: float


def label_facts(config: Any, folder: Path | None = None) -> dict[str, Any]:
    """Return what `best_labels` needs from a model's configuration, and from its folder if it may be a CrossEncoder.

    Raises:
        ModelUnavailableError: A label has no name, or a CrossEncoder was saved with a function that is not supported.
    """
    if unnamed := [index for index in range(config.num_labels) if index not in config.id2label]:
        raise ModelUnavailableError(f"config.json names no label {unnamed[0]}: number those of id2label from 0")
    return {
        "labels": [config.id2label[index] for index in range(config.num_labels)],
        "function": saved_function(config, folder) or _function(config),
    }


def _function(config: Any) -> str:
    """Return how logits become scores, as the pipeline of transformers decides.

    Source: transformers.TextClassificationPipeline.postprocess.
    """
    if config.problem_type == "regression":
        return "none"
    return "sigmoid" if config.problem_type == "multi_label_classification" or config.num_labels == 1 else "softmax"


def best_labels(logits: np.ndarray, labels: Sequence[str], function: str, top_k: int | None) -> list[Label]:
    """Return the labels of one input, best first.

    Args:
        logits: One for each label.
        labels: Their names.
        function: sigmoid, softmax or none.
        top_k: How many to return; None returns all.
    """
    scores = activate(logits.astype(np.float64), function)
    best = np.argsort(-scores, kind="stable")[:top_k]
    return [Label(label=labels[index], score=float(scores[index])) for index in best]


def difference(one: Sequence[Label], other: Sequence[Label]) -> float:
    """Return the largest difference between the scores of two predictions."""
    scores = {label["label"]: label["score"] for label in other}
    return max(abs(label["score"] - scores.get(label["label"], 0)) for label in one)


def agreement(one: Sequence[Label], other: Sequence[Label]) -> float:
    """Return 1 if the best labels of two predictions are the same, 0 otherwise."""
    return float(one[0]["label"] == other[0]["label"])
