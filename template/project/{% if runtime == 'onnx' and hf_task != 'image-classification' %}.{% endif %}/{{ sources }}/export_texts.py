"""What the export of every model of texts shares."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch

from .batches import Item
from .onnx_tokenizer import FILE
from .predictor import ModelUnavailable
from .torch_predictor import TorchPredictor

DYNAMIC = {name: {0: torch.export.Dim.DYNAMIC, 1: torch.export.Dim.DYNAMIC} for name in ("input_ids", "attention_mask")}
"""Axes of the graph's inputs that are of any size: batch and length."""

SAMPLES = [
    "Yes.",
    "A happy dog runs along the beach.",
    "How do I bake bread without an oven?",
    "Investors were surprised by the quarterly report, which nobody had expected so soon.",
    "It rains in Paris.",
    "def add(a, b): return a + b",
    "The committee met for the third time this year, and again it could not agree on where the money for the new "
    "bridge should come from, who would build it, and when the old one would have to be closed.",
    "Worst purchase I ever made, and the service was rude.",
]
"""Texts of many lengths, on which the export is compared with torch."""


def features(predictor: TorchPredictor, items: Sequence[Item]) -> dict[str, torch.Tensor]:
    """The graph's inputs for a batch of items."""
    return dict(predictor.tokenizer.pad({"input_ids": [item.value for item in items]}, return_tensors="pt"))


def tokenizer_facts(predictor: TorchPredictor) -> dict[str, Any]:
    """What `OnnxTokenizer` has to know beside its file."""
    return {
        "longest": predictor.longest,
        "padding": predictor.tokenizer.pad_token_id or 0,
        "padding_side": predictor.tokenizer.padding_side,
    }


def save_preparation(predictor: TorchPredictor, folder: Path) -> None:
    """Writes what turns texts into ids. Raises ModelUnavailable."""
    if not predictor.tokenizer.is_fast:
        raise ModelUnavailable(f"{predictor.model} has no tokenizer that works without transformers: use runtime torch")
    predictor.tokenizer.backend_tokenizer.save(str(folder / FILE))
