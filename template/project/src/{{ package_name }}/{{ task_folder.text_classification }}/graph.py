"""Text classification in torch."""

from pathlib import Path
from typing import Self

import torch
from transformers import AutoModelForSequenceClassification

from ..backends.torch import load_network
from .labels import label_facts
from .text_graph import TextGraph, load_tokenizer


class TextClassificationGraph(TextGraph):
    """From the tokens of texts, each input (batch, length), to logits (batch, labels)."""

    output_names = ("logits",)

    @classmethod
    def load(cls, folder: Path, device: torch.device) -> Self:
        """Return the graph of the model in a folder, on a device.

        Raises:
            ModelUnavailableError: The files cannot be loaded, or the network cannot be computed.
        """
        network = load_network(AutoModelForSequenceClassification, folder, device)
        return cls.assemble(network, load_tokenizer(folder), label_facts(network.config, folder))

    def forward(self, batch: dict[str, torch.Tensor]) -> torch.Tensor:
        """Return the logits."""
        logits: torch.Tensor = self.network(**batch, **self.options).logits
        return logits
