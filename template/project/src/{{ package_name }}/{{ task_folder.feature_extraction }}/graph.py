"""Sentence embeddings in torch: the network, the pooling and the layers behind it."""

from dataclasses import asdict
from pathlib import Path
from typing import Any, Self

import torch
from transformers import AutoModel, AutoTokenizer

from ..backends.torch import TEXT_SHAPES, TaskGraph, load_network, load_pretrained, max_input_tokens
from .pooling import load_dense, pool, vector_width
from .sentence_config import SentenceConfig
from .tokenizer import TransformersTokenizer, tokenizer_facts


class EmbeddingGraph(TaskGraph):
    """From token ids and mask, each (batch, length), to vectors (batch, width), not normalised."""

    output_names = ("vectors",)
    dynamic_shapes = TEXT_SHAPES

    def __init__(self, network: Any, preprocessor: Any, facts: dict[str, Any], dense: list[torch.nn.Module]) -> None:
        super().__init__(network, preprocessor, facts)
        self.dense = torch.nn.ModuleList(dense)
        self.modes: tuple[str, ...] = tuple(facts["sentence"]["pooling"])

    @classmethod
    def load(cls, folder: Path, device: torch.device) -> Self:
        """Return the graph of the model in a folder, on a device.

        Raises:
            ModelUnavailableError: The files cannot be loaded, or have a module that is not supported.
        """
        config = SentenceConfig.read(folder)
        network = load_network(AutoModel, folder / config.transformer, device)
        dense = [load_dense(folder / each).to(device) for each in config.dense_folders]
        pretrained = load_pretrained(AutoTokenizer, folder / config.transformer)
        tokenizer = TransformersTokenizer(pretrained, min(config.max_tokens, max_input_tokens(pretrained, network)))
        width = vector_width(network.config.hidden_size, config.pooling, dense)
        facts = tokenizer_facts(tokenizer) | {"sentence": asdict(config), "width": width}
        return cls(network, tokenizer, facts, dense)

    def forward(self, input_ids: torch.Tensor, attention_mask: torch.Tensor) -> torch.Tensor:
        """Return the vectors."""
        tokens = self.network(input_ids=input_ids, attention_mask=attention_mask).last_hidden_state
        vectors = pool(tokens, attention_mask, self.modes)
        for layer in self.dense:
            vectors = layer(vectors)
        return vectors
