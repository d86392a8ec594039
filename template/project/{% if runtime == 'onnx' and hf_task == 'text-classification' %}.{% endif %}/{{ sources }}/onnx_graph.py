"""What is exported of the model, and how far it has to be as in torch."""

from typing import Any

import torch

from .export_texts import DYNAMIC as DYNAMIC
from .export_texts import SAMPLES, tokenizer_facts
from .export_texts import features as features
from .export_texts import save_preparation as save_preparation
from .labels import agreement as agreement
from .labels import difference as difference
from .task import Parameters
from .torch_predictor import TorchPredictor

PARAMETERS = Parameters(truncate=True)
"""With which the export is compared with torch."""


class Graph(torch.nn.Module):
    """From ids and mask, each (batch, length), to logits (batch, labels)."""

    def __init__(self, predictor: TorchPredictor) -> None:
        super().__init__()
        self.network = predictor.network

    def forward(self, input_ids: torch.Tensor, attention_mask: torch.Tensor) -> torch.Tensor:
        """The logits."""
        return self.network(input_ids=input_ids, attention_mask=attention_mask).logits


def samples(predictor: TorchPredictor) -> list[str]:
    """Inputs on which the export is compared with torch."""
    return SAMPLES


def facts(predictor: TorchPredictor) -> dict[str, Any]:
    """What `OnnxPredictor` has to know beside the graph."""
    config = predictor.network.config
    return tokenizer_facts(predictor) | {
        "labels": [config.id2label[index] for index in range(config.num_labels)],
        "several": config.problem_type == "multi_label_classification" or config.num_labels == 1,
    }
