"""What is exported of the model, and how far it has to be as in torch."""

from collections.abc import Sequence
from typing import Any

import torch

from .export_texts import DYNAMIC as DYNAMIC
from .export_texts import features as features
from .export_texts import save_preparation as save_preparation
from .export_texts import tokenizer_facts
from .task import Fill, Parameters
from .torch_predictor import TorchPredictor

SAMPLES = [
    "Paris is the capital of {mask}.",
    "{mask} rains.",
    "She opened the door and {mask} into the room.",
    "A molecule of {mask} is two parts hydrogen and one part oxygen.",
    "He has worked for the same company for many years, and only last week he said that he would like to {mask} soon.",
]
"""Texts of many lengths."""

PARAMETERS = Parameters()
"""With which the export is compared with torch."""


class Graph(torch.nn.Module):
    """From ids and mask, each (batch, length), to logits (batch, vocabulary) of the token to be filled in."""

    def __init__(self, predictor: TorchPredictor) -> None:
        super().__init__()
        self.network = predictor.network
        self.mask: int = predictor.tokenizer.mask_token_id

    def forward(self, input_ids: torch.Tensor, attention_mask: torch.Tensor) -> torch.Tensor:
        """The logits of one position in each text: those of all positions are never asked for."""
        logits = self.network(input_ids=input_ids, attention_mask=attention_mask).logits
        return logits[torch.arange(input_ids.shape[0]), (input_ids == self.mask).int().argmax(dim=1)]


def samples(predictor: TorchPredictor) -> list[str]:
    """Inputs on which the export is compared with torch."""
    texts = [text.format(mask=predictor.mask) for text in SAMPLES]
    return [text for text in texts if len(predictor.tokenizer(text)["input_ids"]) <= predictor.longest]


def facts(predictor: TorchPredictor) -> dict[str, Any]:
    """What `OnnxPredictor` has to know beside the graph."""
    tokenizer = predictor.tokenizer
    return tokenizer_facts(predictor) | {"mask": tokenizer.mask_token_id, "unknown": tokenizer.unk_token_id}


def difference(one: Sequence[Fill], other: Sequence[Fill]) -> float:
    """The greatest difference between the scores of two predictions, rank by rank."""
    return max(abs(ours["score"] - its["score"]) for ours, its in zip(one, other, strict=True))


def agreement(one: Sequence[Fill], other: Sequence[Fill]) -> float:
    """1 where the best word and the text with it are the same, 0 otherwise."""
    return float(one[0]["sequence"] == other[0]["sequence"])
