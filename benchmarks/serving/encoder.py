"""What the peers serve: the same model, loaded and pooled as its card says, with all cores."""

import os
from functools import cache
from typing import Any

import torch
from transformers import AutoModel, AutoTokenizer

FOLDER = os.environ["WEIGHTS"]


@cache
def loaded() -> tuple[Any, Any]:
    """Tokenizer and network."""
    return AutoTokenizer.from_pretrained(FOLDER), AutoModel.from_pretrained(FOLDER).eval()


@torch.inference_mode()
def encode(texts: list[str]) -> list[list[float]]:
    """Return a vector of length 1 for each text."""
    tokenizer, network = loaded()
    features = tokenizer(texts, padding=True, return_tensors="pt")
    tokens = network(**features).last_hidden_state
    mask = features["attention_mask"].unsqueeze(-1)
    means = (tokens * mask).sum(dim=1) / mask.sum(dim=1)
    return torch.nn.functional.normalize(means, dim=1).tolist()
