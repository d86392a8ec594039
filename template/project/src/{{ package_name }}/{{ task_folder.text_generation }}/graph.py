"""Text generation in torch: the network, of which `generate` is called."""

from pathlib import Path
from types import MappingProxyType
from typing import Self

import torch
from transformers import AutoModelForCausalLM, AutoTokenizer

from ..backends.torch import TaskGraph, load_network, load_pretrained, max_input_tokens


class TextGenerationGraph(TaskGraph):
    """A causal language model with its tokenizer."""

    output_names = ("logits",)
    dynamic_shapes = MappingProxyType({})

    @classmethod
    def load(cls, folder: Path, device: torch.device) -> Self:
        """Return the model in a folder, on a device.

        Raises:
            ModelUnavailableError: The files cannot be loaded.
        """
        tokenizer = load_pretrained(AutoTokenizer, folder, padding_side="left")
        if tokenizer.pad_token is None:
            tokenizer.pad_token = tokenizer.eos_token
        network = load_network(AutoModelForCausalLM, folder, device)
        return cls(network, tokenizer, {"max_tokens": max_input_tokens(tokenizer, network)})
