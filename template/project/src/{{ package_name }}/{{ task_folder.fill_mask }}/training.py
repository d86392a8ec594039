"""Training of a masked language model: how examples are encoded, and the metric that decides."""

import zlib
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any

import numpy as np
import torch
from datasets import Dataset
from pydantic import Field
from transformers import (
    AutoModelForMaskedLM,
    DataCollatorForLanguageModeling,
    DataCollatorForTokenClassification,
)

from ..backends.torch import load_pretrained
from ..training.task import Metric
from ..training.trainer import BaseLearner, TransformersTraining
from ..training.trainer_config import TrainerConfig
from .graph import FillMaskGraph
from .text_graph import load_tokenizer

IGNORED_LABEL = -100
"""Label of a token that is not to be predicted."""


class FillMaskConfig(TrainerConfig):
    """The configuration, with the column of an example."""

    COLUMNS = ("text",)

    text: str = "text"
    max_tokens: Annotated[int, Field(ge=2)] = 256
    masked: Annotated[float, Field(gt=0, lt=1)] = 0.15


class FillMaskLearner(BaseLearner):
    """A masked language model with its tokenizer."""

    def __init__(self, folder: Path, config: FillMaskConfig, examples: Dataset, trainable: bool = True) -> None:
        """Load the model."""
        self.masked = config.masked
        self.tokenizer = load_tokenizer(folder)
        self.network = load_pretrained(AutoModelForMaskedLM, folder, dtype=torch.float32)
        tokenizer = FillMaskGraph.assemble(self.network, self.tokenizer).preprocessor
        self.max_tokens = tokenizer.truncated(config.max_tokens).facts.max_tokens
        self._mask = DataCollatorForLanguageModeling(self.tokenizer, mlm_probability=self.masked)
        self._pad = DataCollatorForTokenClassification(self.tokenizer)

    def encode(self, batch: dict[str, list[Any]]) -> Mapping[str, Any]:
        """Tokenize the texts, truncated to `max_tokens`; `collate` masks tokens at random."""
        texts = [str(text) for text in batch["text"]]
        return dict(self.tokenizer(texts, truncation=True, max_length=self.max_tokens, return_special_tokens_mask=True))

    def encode_for_evaluation(self, batch: dict[str, list[Any]]) -> Mapping[str, Any]:
        """Tokenize the texts and mask tokens, always the same ones."""
        features = dict(self.encode(batch))
        special = features.pop("special_tokens_mask")
        masked = [self._mask_tokens(ids, mask) for ids, mask in zip(features["input_ids"], special, strict=True)]
        return {**features, "input_ids": [ids for ids, _ in masked], "labels": [labels for _, labels in masked]}

    def collate(self, features: list[Any]) -> dict[str, Any]:
        """Pad the texts to the longest, and mask those that are not masked yet."""
        return dict((self._pad if "labels" in features[0] else self._mask)(features))

    def save(self, folder: Path) -> None:
        """Write the network and the tokenizer."""
        self.network.save_pretrained(folder)
        self.tokenizer.save_pretrained(folder)

    def _mask_tokens(self, ids: list[int], special: list[int]) -> tuple[list[int], list[int]]:
        """Return the tokens with some masked, chosen by a hash of the text, and the labels."""
        positions = [position for position, is_special in enumerate(special) if not is_special]
        random = np.random.default_rng(zlib.crc32(repr(ids).encode()))
        count = min(len(positions), max(1, round(self.masked * len(positions))))
        chosen = set(random.permutation(positions)[:count].tolist())
        mask = self.tokenizer.mask_token_id
        return (
            [mask if position in chosen else each for position, each in enumerate(ids)],
            [each if position in chosen else IGNORED_LABEL for position, each in enumerate(ids)],
        )


class FillMaskTraining(TransformersTraining[FillMaskConfig]):
    """Train a masked language model."""

    Config = FillMaskConfig
    Learner = FillMaskLearner
    metric = Metric("loss", higher_is_better=False)
