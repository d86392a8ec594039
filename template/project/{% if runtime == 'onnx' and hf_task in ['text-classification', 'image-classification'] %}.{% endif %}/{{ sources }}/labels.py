"""Labels from what a graph gives."""

from collections.abc import Sequence

import numpy as np

from .task import Label


def best_labels(
    logits: np.ndarray, labels: Sequence[str], function: str | None, several: bool, top_k: int | None
) -> list[Label]:
    """The labels of one input's logits, best first; by default all of them.

    `function` is sigmoid, softmax or none; None chooses sigmoid where an input may have several labels at once.
    """
    scores = _scores(logits.astype(np.float64), function or ("sigmoid" if several else "softmax"))
    best = np.argsort(-scores, kind="stable")[:top_k]
    return [Label(label=labels[index], score=float(scores[index])) for index in best]


def _scores(logits: np.ndarray, function: str) -> np.ndarray:
    if function == "none":
        return logits
    if function == "sigmoid":
        return 1 / (1 + np.exp(-logits))
    powers = np.exp(logits - logits.max())
    return powers / powers.sum()


def difference(one: Sequence[Label], other: Sequence[Label]) -> float:
    """The greatest difference between two predictions' scores."""
    scores = {label["label"]: label["score"] for label in other}
    return max(abs(label["score"] - scores.get(label["label"], 0)) for label in one)


def agreement(one: Sequence[Label], other: Sequence[Label]) -> float:
    """1 where the best label is the same, 0 otherwise."""
    return float(one[0]["label"] == other[0]["label"])
