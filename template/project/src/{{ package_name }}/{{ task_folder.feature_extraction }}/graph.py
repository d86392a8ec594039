"""Sentence embeddings in torch: the network, the pooling and the layers behind it."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any, Self

import torch
from transformers import MODEL_FOR_TEXT_ENCODING_MAPPING, AutoConfig, AutoModel, AutoModelForTextEncoding

from ..backends.torch import load_network, load_pretrained
from .layers import LAYERS, Layer
from .pooling import pool
from .sentence_config import SentenceConfig
from .text_graph import TextGraph, load_tokenizer
from .tokenizer import TransformersTokenizer

UNUSED = ("pooler.", "lm_head.")
"""Weights of networks that sentence embeddings do not need."""


class EmbeddingGraph(TextGraph):
    """From the tokens of texts, each input (batch, length), to vectors (batch, width), not normalised."""

    output_names = ("vectors",)

    def __init__(
        self, network: Any, preprocessor: TransformersTokenizer, facts: Mapping[str, Any], layers: Sequence[Layer]
    ) -> None:
        super().__init__(network, preprocessor, facts)
        self.layers = torch.nn.ModuleList(layers)
        self.modes: tuple[str, ...] = tuple(facts["sentence"]["pooling"])

    @classmethod
    def load(cls, folder: Path, device: torch.device) -> Self:
        """Return the graph of the model in a folder, on a device.

        Raises:
            ModelUnavailableError: The files cannot be loaded or computed, or have a module that is not supported.
        """
        config = SentenceConfig.read(folder)
        transformer = folder / config.transformer
        network = load_network(network_class(transformer), transformer, device, UNUSED)
        layers = [LAYERS[kind].load(folder / path).to(device) for kind, path in config.layers]
        facts = {"sentence": asdict(config)}
        graph = cls.assemble(network, load_tokenizer(transformer), facts, config.max_tokens, layers=layers)
        [vectors] = graph.run([graph.sample(2)])
        graph.facts = {**graph.facts, "width": vectors.shape[1]}
        return graph

    def forward(self, batch: dict[str, torch.Tensor]) -> torch.Tensor:
        """Return the vectors."""
        tokens = self.network(**batch, **self.options).last_hidden_state
        mask = batch.get("attention_mask", torch.ones_like(batch["input_ids"]))
        vectors = pool(tokens, mask, self.modes)
        for layer in self.layers:
            vectors = layer(vectors)
        return vectors


def network_class(folder: Path) -> Any:
    """Return the class of transformers that loads the model in a folder: of T5 and its kin, the encoder alone.

    Raises:
        ModelUnavailableError: The configuration cannot be loaded.
    """
    config = load_pretrained(AutoConfig, folder)
    return AutoModelForTextEncoding if type(config) in MODEL_FOR_TEXT_ENCODING_MAPPING else AutoModel
