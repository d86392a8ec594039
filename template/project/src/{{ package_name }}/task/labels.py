"""Labels with scores, from the logits of a classifier."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from typing_extensions import TypedDict

from ..errors import ModelUnavailableError

ACTIVATIONS = {"Identity": "none", "Sigmoid": "sigmoid", "Softmax": "softmax"}
"""Functions of torch that a CrossEncoder may be saved with, by the name of the function here."""


class Label(TypedDict):
    """A label and its score, from 0 to 1 unless the parameters say otherwise."""

    label: str
    score: float


def label_facts(config: Any) -> dict[str, Any]:
    """Return what `best_labels` needs from a model's configuration."""
    return {
        "labels": [config.id2label[index] for index in range(config.num_labels)],
        "function": _function(config),
    }


def _function(config: Any) -> str:
    """Return how logits become scores, as the pipeline of transformers decides, or as a CrossEncoder was saved.

    Source: transformers.TextClassificationPipeline.postprocess and
    sentence_transformers.CrossEncoder.get_default_activation_fn.

    Raises:
        ModelUnavailableError: A CrossEncoder was saved with a function that is not supported.
    """
    saved = (getattr(config, "sentence_transformers", None) or {}).get("activation_fn")
    saved = saved or getattr(config, "sbert_ce_default_activation_function", None)
    if saved is not None:
        name = str(saved).rpartition(".")[2]
        if name not in ACTIVATIONS:
            raise ModelUnavailableError(f"the model's activation function {saved} is not supported")
        return ACTIVATIONS[name]
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
    scores = _scores(logits.astype(np.float64), function)
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
