"""Text generation in torch: the network, of which `generate` is called, and the padding of its prompts."""

import inspect
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Literal, Self

import torch
from transformers import AutoModelForCausalLM, AutoTokenizer

from ..backends.torch import TaskGraph, load_network, load_pretrained
from ..errors import ModelUnavailableError
from .input_limits import longest_input, ordinary_token
from .padding import TRIED_LENGTHS, ignores_padding, padding_token

PREFIXED = ("XLNetLMHeadModel",)
"""Networks that continue a text well only behind a long text of another kind, which transformers adds to it."""

TRIED_TOKENS = 3
"""Tokens that are generated to compare prompts alone and together; later ones come from the cache of the first."""


class TextGenerationGraph(TaskGraph):
    """A causal language model with its tokenizer."""

    output_names = ("logits",)

    def __init__(self, network: Any, preprocessor: Any, facts: Mapping[str, Any]) -> None:
        super().__init__(network, preprocessor, facts)
        self.padding_id = padding_token(network, preprocessor)
        self._takes_mask = "attention_mask" in inspect.signature(network.forward).parameters

    @classmethod
    def load(cls, folder: Path, device: torch.device) -> Self:
        """Return the model in a folder, on a device.

        Raises:
            ModelUnavailableError: The files cannot be loaded, or the network cannot be computed.
        """
        network = load_network(AutoModelForCausalLM, folder, device)
        if type(network).__name__ in PREFIXED:
            raise ModelUnavailableError(f"{folder} holds an {type(network).__name__}, which is not supported")
        return cls.assemble(network, load_pretrained(AutoTokenizer, folder))

    @classmethod
    def assemble(cls, network: Any, tokenizer: Any) -> Self:
        """Return the graph of a network with its tokenizer, once both have been tried together.

        Raises:
            ModelUnavailableError: The network cannot be computed.
        """
        graph = cls(network, tokenizer, {})
        longest = longest_input(network, tokenizer, lambda ids: network(input_ids=ids))
        graph.facts = {"max_tokens": longest, "pads": graph.ignores_padding(longest)}
        return graph

    def pad(self, texts: Sequence[Sequence[int]], side: Literal["left", "right"] = "left") -> dict[str, torch.Tensor]:
        """Return the inputs of the network by name, each (batch, length), padded to the longest text.

        Padding is on the left, so that every text is continued at its end.
        """
        longest = max(map(len, texts))
        ids = torch.full((len(texts), longest), self.padding_id)
        mask = torch.zeros_like(ids)
        for row, text in enumerate(texts):
            place = slice(longest - len(text), None) if side == "left" else slice(len(text))
            ids[row, place] = torch.tensor(text)
            mask[row, place] = 1
        return {"input_ids": ids, "attention_mask": mask} if self._takes_mask else {"input_ids": ids}

    def ignores_padding(self, longest: int | None) -> bool:
        """Return whether a prompt is continued in the same way alone and beside a longer one.

        Raises:
            ModelUnavailableError: The network cannot be computed.
        """
        first = ordinary_token(self.network, self.preprocessor)
        lengths = [max(1, min(length, (longest or length + TRIED_TOKENS) - TRIED_TOKENS)) for length in TRIED_LENGTHS]
        prompts = [[(first + place) % len(self.preprocessor) for place in range(length)] for length in lengths]
        return ignores_padding(prompts, lambda batch: [self._next(batch)])

    def forward(self, batch: dict[str, torch.Tensor]) -> torch.Tensor:
        """Return the logits, (batch, length, vocabulary)."""
        logits: torch.Tensor = self.network(**batch).logits
        return logits

    def _next(self, prompts: Sequence[Sequence[int]]) -> torch.Tensor:
        """Return the logits of the next tokens of each prompt, (batch, tokens, vocabulary)."""
        options: dict[str, Any] = {"max_new_tokens": TRIED_TOKENS, "min_new_tokens": TRIED_TOKENS, "do_sample": False}
        options["pad_token_id"] = self.padding_id
        options |= {"return_dict_in_generate": True, "output_logits": True, "num_beams": 1, "num_return_sequences": 1}
        options["tokenizer"] = self.preprocessor  # of stop strings that the model may have
        with torch.inference_mode():
            inputs = {name: tensor.to(self.network.device) for name, tensor in self.pad(prompts).items()}
            return torch.stack(self.network.generate(**inputs, **options).logits, dim=1)
