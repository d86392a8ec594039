"""Fill-mask in torch."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any, Self

import torch
from transformers import AutoModelForMaskedLM

from ..backends.torch import load_network
from ..errors import ModelUnavailableError
from .text_graph import TextGraph, load_tokenizer
from .tokenizer import TransformersTokenizer


class FillMaskGraph(TextGraph):
    """From the tokens of texts, each input (batch, length), to logits (batch, vocabulary) of the masked token."""

    output_names = ("logits",)

    def __init__(self, network: Any, preprocessor: TransformersTokenizer, facts: Mapping[str, Any]) -> None:
        super().__init__(network, preprocessor, facts)
        self.mask_id = preprocessor.facts.mask_id or 0

    @classmethod
    def load(cls, folder: Path, device: torch.device) -> Self:
        """Return the graph of the model in a folder, on a device.

        Raises:
            ModelUnavailableError: The files cannot be loaded, the tokenizer has no mask token, or the network cannot be
                computed.
        """
        network = load_network(AutoModelForMaskedLM, folder, device)
        tokenizer = load_tokenizer(folder)
        if tokenizer.mask_token_id is None:
            raise ModelUnavailableError(f"{folder} has no mask token: it cannot fill masks")
        return cls.assemble(network, tokenizer)

    def forward(self, batch: dict[str, torch.Tensor]) -> torch.Tensor:
        """Return the logits of one position of each text; those of the others are never needed."""
        logits = self.network(**batch, **self.options).logits
        input_ids = batch["input_ids"]
        masked = torch.eq(input_ids, self.mask_id).int().argmax(dim=1)
        found: torch.Tensor = logits[torch.arange(input_ids.shape[0], device=input_ids.device), masked]
        return found
