"""Fill-mask in torch."""

from pathlib import Path
from typing import Self

import torch
from transformers import AutoModelForMaskedLM, AutoTokenizer

from ..backends.torch import TEXT_SHAPES, TaskGraph, load_network, load_pretrained, max_input_tokens
from ..errors import ModelUnavailableError
from .tokenizer import TransformersTokenizer, tokenizer_facts


class FillMaskGraph(TaskGraph):
    """From token ids and mask, each (batch, length), to logits (batch, vocabulary) of the masked token."""

    output_names = ("logits",)
    dynamic_shapes = TEXT_SHAPES

    @classmethod
    def load(cls, folder: Path, device: torch.device) -> Self:
        """Return the graph of the model in a folder, on a device.

        Raises:
            ModelUnavailableError: The files cannot be loaded, or the tokenizer has no mask token.
        """
        network = load_network(AutoModelForMaskedLM, folder, device)
        pretrained = load_pretrained(AutoTokenizer, folder)
        if pretrained.mask_token_id is None:
            raise ModelUnavailableError(f"{folder} has no mask token: it cannot fill masks")
        tokenizer = TransformersTokenizer(pretrained, max_input_tokens(pretrained, network))
        return cls(network, tokenizer, tokenizer_facts(tokenizer))

    def forward(self, input_ids: torch.Tensor, attention_mask: torch.Tensor) -> torch.Tensor:
        """Return the logits of one position of each text; those of the others are never needed."""
        logits = self.network(input_ids=input_ids, attention_mask=attention_mask).logits
        masked = (input_ids == self.preprocessor.facts.mask_id).int().argmax(dim=1)
        found: torch.Tensor = logits[torch.arange(input_ids.shape[0], device=input_ids.device), masked]
        return found
