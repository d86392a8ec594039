"""What the graphs of all tasks that read texts share: the inputs of the network, its limits, and padding."""

import inspect
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, Self

import torch
from transformers import AutoTokenizer

from ..backends.torch import TaskGraph, load_pretrained
from .input_limits import longest_input, ordinary_token
from .padding import TRIED_LENGTHS, ignores_padding, padding_token
from .tokenizer import MASK_INPUT, Encoded, TextTokenizer, TransformersTokenizer, tokenizer_facts


class TextGraph(TaskGraph):
    """The computation of a task that reads texts: from what its tokenizer returns, each (batch, length), to tensors."""

    preprocessor: TransformersTokenizer

    def __init__(self, network: Any, preprocessor: TransformersTokenizer, facts: Mapping[str, Any]) -> None:
        super().__init__(network, preprocessor, facts)
        takes_cache = "use_cache" in inspect.signature(network.forward).parameters
        self.options: dict[str, Any] = {"use_cache": False} if takes_cache else {}
        """Arguments of the network beside its inputs."""

    @classmethod
    def assemble(
        cls,
        network: Any,
        tokenizer: Any,
        facts: Mapping[str, Any] | None = None,
        max_tokens: int | None = None,
        **parts: Any,
    ) -> Self:
        """Return the graph of a network with its tokenizer, once both have been tried together.

        Args:
            network: A language model of transformers.
            tokenizer: Its tokenizer, of transformers.
            facts: Values from the model's configuration that the task needs.
            max_tokens: Length of the longest input by further files of the model, in tokens.
            **parts: Passed to the constructor.

        Raises:
            ModelUnavailableError: The network cannot be computed.
        """
        prepared = TransformersTokenizer(tokenizer, max_tokens, network_inputs(network, tokenizer))
        graph = cls(network, prepared, facts or {}, **parts)
        limits = (max_tokens, longest_input(network, tokenizer, graph.compute))
        longest = min((each for each in limits if each is not None), default=None)
        prepared.facts = replace(prepared.facts, max_tokens=longest)
        prepared.facts = replace(prepared.facts, pads=graph.ignores_padding())
        graph.facts = tokenizer_facts(prepared) | dict(graph.facts)
        return graph

    @property
    def dynamic_axes(self) -> dict[str, tuple[int, int]]:
        """Axes of each input that may have any size: batch and length."""
        return dict.fromkeys(self.preprocessor.facts.padding, (0, 1))

    def compute(self, input_ids: torch.Tensor) -> tuple[torch.Tensor, ...]:
        """Return the outputs for token ids, (1, length), that nothing is special about."""
        rows = [
            {name: ids if name == "input_ids" else [0] * len(ids) for name in self._names} for ids in input_ids.tolist()
        ]
        return self.run(rows)

    def ignores_padding(self) -> bool:
        """Return whether a short input has the same outputs alone and beside a longer one.

        Raises:
            ModelUnavailableError: The network cannot be computed.
        """
        longest = self.preprocessor.facts.max_tokens
        lengths = [min(length, longest or length) for length in TRIED_LENGTHS]
        return ignores_padding([self.sample(length) for length in lengths], self.run)

    def sample(self, length: int) -> Encoded:
        """Return tokens of an ordinary text, as many as wanted."""
        tokenizer = self.preprocessor.tokenizer
        special = set(tokenizer.all_special_ids)
        first = ordinary_token(self.network, tokenizer)
        ordinary = [each for each in range(first, first + 2 * length + len(special)) if each not in special]
        ids = [each % len(tokenizer) for each in ordinary[:length]]
        closing = tokenizer("a")["input_ids"]
        if closing and closing[-1] in special and length > 1:  # some networks look for the token that ends a text
            ids[-1] = closing[-1]
        return {name: ids if name == "input_ids" else [0] * length for name in self._names}

    @property
    def _names(self) -> list[str]:
        return [name for name in self.preprocessor.facts.padding if name != MASK_INPUT]

    def run(self, rows: Sequence[Encoded]) -> tuple[torch.Tensor, ...]:
        """Return the outputs for a batch of tokens."""
        batch = {name: tensor.to(self.network.device) for name, tensor in pad_tensors(self.preprocessor, rows).items()}
        with torch.inference_mode():
            outputs = self(batch)
        return outputs if isinstance(outputs, tuple) else (outputs,)


def load_tokenizer(folder: Path, **options: Any) -> Any:
    """Return the tokenizer in a folder.

    Raises:
        ModelUnavailableError: The files cannot be loaded.
    """
    return load_pretrained(AutoTokenizer, folder, **options)


def pad_tensors(tokenizer: TextTokenizer, batch: Sequence[Encoded]) -> dict[str, torch.Tensor]:
    """Return the inputs of the network by name, each (batch, length), padded to the longest."""
    return {name: torch.from_numpy(array) for name, array in tokenizer.pad(batch).items()}


def network_inputs(network: Any, tokenizer: Any) -> dict[str, int]:
    """Return the inputs that the tokenizer makes and the network takes, with their value at padding."""
    values = {MASK_INPUT: 0, "token_type_ids": tokenizer.pad_token_type_id}
    taken = inspect.signature(network.forward).parameters
    wanted = [name for name in tokenizer("a") if name in values and name in taken]
    return {"input_ids": padding_token(network, tokenizer)} | {name: values[name] for name in wanted}
