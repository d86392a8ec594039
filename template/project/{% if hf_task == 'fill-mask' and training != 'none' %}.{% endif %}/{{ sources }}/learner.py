"""What is learned: the words that are missing in texts. How an example is encoded, and what a model is judged by."""

import zlib
from pathlib import Path
from typing import Annotated, Any

import numpy as np
import torch
from datasets import Dataset
from pydantic import Field
from transformers import (
    AutoModelForMaskedLM,
    AutoTokenizer,
    DataCollatorForLanguageModeling,
    DataCollatorForTokenClassification,
)

from .recipe import Recipe
from .torch_model import load, longest_input

METRIC = "loss"
HIGHER_IS_BETTER = False

IGNORED = -100
"""Label of a token that is not asked for."""


class Training(Recipe):
    """How to train, and on which columns."""

    COLUMNS = ("text",)

    text: str = "text"
    max_tokens: Annotated[int, Field(ge=2)] = 256
    masked: Annotated[float, Field(gt=0, lt=1)] = 0.15


class Learner:
    """A model that learns, or is judged, with all that a Trainer wants to know of it."""

    measure = None  # the loss is enough

    def __init__(self, folder: Path, training: Training, examples: Dataset, learns: bool = True) -> None:
        """Raises ModelUnavailable."""
        self.masked = training.masked
        self.tokenizer = load(AutoTokenizer, folder)
        self.network = load(AutoModelForMaskedLM, folder, dtype=torch.float32)
        self.longest = min(training.max_tokens, longest_input(self.tokenizer, self.network))
        self._mask = DataCollatorForLanguageModeling(self.tokenizer, mlm_probability=self.masked)
        self._pad = DataCollatorForTokenClassification(self.tokenizer)

    def encode(self, batch: dict[str, list[Any]]) -> dict[str, list[Any]]:
        """What the network takes, of examples to learn from; a long text is cut. They are masked at random later on."""
        texts = [str(text) for text in batch["text"]]
        return dict(self.tokenizer(texts, truncation=True, max_length=self.longest, return_special_tokens_mask=True))

    def encode_to_judge(self, batch: dict[str, list[Any]]) -> dict[str, list[Any]]:
        """The same of examples to judge by, in which the same words are missing each time."""
        features = self.encode(batch)
        marks = features.pop("special_tokens_mask")
        masked = [self._without_some(ids, mark) for ids, mark in zip(features["input_ids"], marks, strict=True)]
        return {**features, "input_ids": [ids for ids, _ in masked], "labels": [labels for _, labels in masked]}

    def _without_some(self, ids: list[int], special: list[int]) -> tuple[list[int], list[int]]:
        words = [position for position, mark in enumerate(special) if not mark]
        random = np.random.default_rng(zlib.crc32(repr(ids).encode()))
        count = min(len(words), max(1, round(self.masked * len(words))))
        missing = set(random.permutation(words)[:count].tolist())
        mask = self.tokenizer.mask_token_id
        return (
            [mask if position in missing else each for position, each in enumerate(ids)],
            [each if position in missing else IGNORED for position, each in enumerate(ids)],
        )

    def collate(self, features: list[dict[str, Any]]) -> Any:
        """A batch of them."""
        return (self._pad if "labels" in features[0] else self._mask)(features)

    def save(self, folder: Path) -> None:
        """Writes the model, as it is to be published."""
        self.network.save_pretrained(folder)
        self.tokenizer.save_pretrained(folder)
