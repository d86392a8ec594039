"""Text ranking in torch."""

from pathlib import Path
from typing import Any, Self

import torch
from transformers import AutoModelForSequenceClassification

from ..backends.torch import load_network
from ..errors import ModelUnavailableError
from .activation import saved_function
from .cross_encoder import CrossEncoderConfig
from .text_graph import TextGraph, load_tokenizer

FUNCTIONS = {"sigmoid": "torch.nn.modules.activation.Sigmoid", "none": "torch.nn.modules.linear.Identity"}
"""Functions that turn a single logit into a score, with the names that sentence-transformers saves."""


class TextRankingGraph(TextGraph):
    """From the tokens of pairs, each input (batch, length), to logits (batch)."""

    output_names = ("logits",)

    @classmethod
    def load(cls, folder: Path, device: torch.device) -> Self:
        """Return the graph of the model in a folder, on a device.

        Raises:
            ModelUnavailableError: The files cannot be loaded, the network cannot be computed, or it does not give one
                score for a pair.
        """
        config = CrossEncoderConfig.read(folder)
        transformer = folder / config.transformer
        network = load_network(AutoModelForSequenceClassification, transformer, device)
        facts = ranking_facts(network.config, folder)
        return cls.assemble(network, load_tokenizer(transformer), facts, config.max_tokens)

    def forward(self, batch: dict[str, torch.Tensor]) -> torch.Tensor:
        """Return the logits."""
        logits: torch.Tensor = self.network(**batch, **self.options).logits
        return logits[:, 0]


def ranking_facts(config: Any, folder: Path) -> dict[str, Any]:
    """Return what the model needs from a network's configuration and from its folder.

    Raises:
        ModelUnavailableError: The network does not give one score for a pair.
    """
    if config.num_labels != 1:
        raise ModelUnavailableError(
            f"{folder} has {config.num_labels} labels and a ranking needs one: make a project for text-classification"
        )
    function = saved_function(config, folder) or "sigmoid"  # as a CrossEncoder of one label
    if function not in FUNCTIONS:
        raise ModelUnavailableError(f"the model's activation function {function} is not supported for a ranking")
    return {"function": function}
