"""Text classification in torch."""

from pathlib import Path
from typing import Self

import torch
from transformers import AutoModelForSequenceClassification, AutoTokenizer

from ..backends.torch import TEXT_SHAPES, TaskGraph, load_network, load_pretrained, max_input_tokens
from .labels import label_facts
from .tokenizer import TransformersTokenizer, tokenizer_facts


class TextClassificationGraph(TaskGraph):
    """From token ids and mask, each (batch, length), to logits (batch, labels)."""

    output_names = ("logits",)
    dynamic_shapes = TEXT_SHAPES

    @classmethod
    def load(cls, folder: Path, device: torch.device) -> Self:
        """Return the graph of the model in a folder, on a device.

        Raises:
            ModelUnavailableError: The files cannot be loaded.
        """
        network = load_network(AutoModelForSequenceClassification, folder, device)
        pretrained = load_pretrained(AutoTokenizer, folder)
        tokenizer = TransformersTokenizer(pretrained, max_input_tokens(pretrained, network))
        return cls(network, tokenizer, tokenizer_facts(tokenizer) | label_facts(network.config))

    def forward(self, input_ids: torch.Tensor, attention_mask: torch.Tensor) -> torch.Tensor:
        """Return the logits."""
        logits: torch.Tensor = self.network(input_ids=input_ids, attention_mask=attention_mask).logits
        return logits
