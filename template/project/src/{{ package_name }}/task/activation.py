"""How logits become scores: as the model was saved, or as transformers does it."""

from pathlib import Path
from typing import Any

import numpy as np

from ..errors import ModelUnavailableError
from ..inference.model_files import read_json

ACTIVATIONS = {"Identity": "none", "Sigmoid": "sigmoid", "Softmax": "softmax"}
"""Functions of torch that a CrossEncoder may be saved with, by the name of the function here."""


def saved_function(config: Any, folder: Path | None = None) -> str | None:
    """Return the function that a CrossEncoder of sentence-transformers was saved with: sigmoid, softmax or none.

    Source: sentence_transformers.CrossEncoder.get_default_activation_fn, and its _parse_model_config for the releases
    that write the function to a file of its own.

    Args:
        config: The configuration of the network.
        folder: The files of the model.

    Returns:
        None for a model that was not saved as a CrossEncoder.

    Raises:
        ModelUnavailableError: The function is not supported.
    """
    options = read_json(folder / "config_sentence_transformers.json", {}) if folder else {}
    saved = options.get("activation_fn")
    saved = saved or (getattr(config, "sentence_transformers", None) or {}).get("activation_fn")
    saved = saved or getattr(config, "sbert_ce_default_activation_function", None)
    if saved is None:
        return None
    name = str(saved).rpartition(".")[2]
    if name not in ACTIVATIONS:
        raise ModelUnavailableError(f"the model's activation function {saved} is not supported")
    return ACTIVATIONS[name]


def activate(logits: np.ndarray, function: str) -> np.ndarray:
    """Return the scores of logits, on the last axis: by sigmoid, softmax or none."""
    if function == "none":
        return logits
    if function == "sigmoid":
        powers = np.exp(-np.abs(logits))  # never overflows
        return np.where(logits < 0, powers, 1) / (1 + powers)
    powers = np.exp(logits - logits.max(axis=-1, keepdims=True))
    return powers / powers.sum(axis=-1, keepdims=True)
