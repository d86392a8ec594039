"""What is exported of the model, and how far it has to be as in torch."""

from collections.abc import Sequence
from dataclasses import asdict
from typing import Any

import torch

from .export_texts import DYNAMIC as DYNAMIC
from .export_texts import SAMPLES, tokenizer_facts
from .export_texts import features as features
from .export_texts import save_preparation as save_preparation
from .pooling import pool
from .task import Parameters
from .torch_predictor import TorchPredictor

PARAMETERS = Parameters(truncate=True)
"""With which the export is compared with torch."""


class Graph(torch.nn.Module):
    """From ids and mask, each (batch, length), to vectors (batch, width)."""

    def __init__(self, predictor: TorchPredictor) -> None:
        super().__init__()
        self.network = predictor.network
        self.dense = torch.nn.ModuleList(predictor.dense)
        self.modes = predictor.config.pooling

    def forward(self, input_ids: torch.Tensor, attention_mask: torch.Tensor) -> torch.Tensor:
        """The vectors, before they are cut and normalised."""
        tokens = self.network(input_ids=input_ids, attention_mask=attention_mask).last_hidden_state
        vectors = pool(tokens, attention_mask, self.modes)
        for layer in self.dense:
            vectors = layer(vectors)
        return vectors


def samples(predictor: TorchPredictor) -> list[str]:
    """Inputs on which the export is compared with torch."""
    return SAMPLES


def facts(predictor: TorchPredictor) -> dict[str, Any]:
    """What `OnnxPredictor` has to know beside the graph."""
    return tokenizer_facts(predictor) | {"sentence": asdict(predictor.config), "width": predictor.width}


def difference(one: Sequence[float], other: Sequence[float]) -> float:
    """The greatest difference between the numbers of two predictions."""
    return float((torch.tensor(one) - torch.tensor(other)).abs().max())


def agreement(one: Sequence[float], other: Sequence[float]) -> float:
    """Cosine of the angle between two predictions."""
    return float(torch.cosine_similarity(torch.tensor(one), torch.tensor(other), dim=0))
