"""Labels with scores, from the logits of a classifier."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from typing_extensions import TypedDict


class Label(TypedDict):
    """A label and its score, from 0 to 1 unless the parameters say otherwise."""

    label: str
    score: float


def label_facts(config: Any) -> dict[str, Any]:
    """Return what `best_labels` needs from a model's configuration."""
    return {
        "labels": [config.id2label[index] for index in range(config.num_labels)],
        "multi_label": config.problem_type == "multi_label_classification" or config.num_labels == 1,
    }


def best_labels(
    logits: np.ndarray, labels: Sequence[str], function: str | None, multi_label: bool, top_k: int | None
) -> list[Label]:
    """Return the labels of one input, best first.

    Args:
        logits: One for each label.
        labels: Their names.
        function: sigmoid, softmax or none; None is sigmoid for a multi-label model and softmax otherwise.
        multi_label: Whether an input may have several labels.
        top_k: How many to return; None returns all.
    """
    scores = _scores(logits.astype(np.float64), function or ("sigmoid" if multi_label else "softmax"))
    best = np.argsort(-scores, kind="stable")[:top_k]
    return [Label(label=labels[index], score=float(scores[index])) for index in best]


def difference(one: Sequence[Label], other: Sequence[Label]) -> float:
    """Return the largest difference between the scores of two predictions."""
    scores = {label["label"]: label["score"] for label in other}
    return max(abs(label["score"] - scores.get(label["label"], 0)) for label in one)


def agreement(one: Sequence[Label], other: Sequence[Label]) -> float:
    """Return 1 if the best labels of two predictions are the same, 0 otherwise."""
    return float(one[0]["label"] == other[0]["label"])


def _scores(logits: np.ndarray, function: str) -> np.ndarray:
    if function == "none":
        return logits
    if function == "sigmoid":
        return 1 / (1 + np.exp(-logits))
    powers = np.exp(logits - logits.max())
    return powers / powers.sum()
