"""Training of a causal language model on texts and chats, with LoRA.

LoRA trains a small adapter. It is merged into the weights before they are published: a version is complete without the
base model, and serving it needs no adapter.
"""

from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, ClassVar

import torch
from datasets import Dataset
from peft import LoraConfig, get_peft_model
from pydantic import Field
from transformers import AutoConfig, AutoModelForCausalLM, AutoTokenizer

from ..backends.torch import load_pretrained
from ..errors import InvalidInputError
from ..training.task import Metric
from ..training.trainer import BaseLearner, TransformersTraining
from ..training.trainer_config import TrainerConfig
from .graph import TextGenerationGraph

IGNORED_LABEL = -100
"""Label of a token that is not to be predicted."""


class TextGenerationConfig(TrainerConfig):
    """The configuration, with the column of an example."""

    COLUMNS = ("text",)

    text: str = "text"
    max_tokens: Annotated[int, Field(ge=2)] = 512
    learning_rate: Annotated[float, Field(gt=0, lt=1)] = 2e-4
    rank: Annotated[int, Field(ge=1, le=1024)] = 16
    alpha: Annotated[int, Field(ge=1)] = 32
    dropout: Annotated[float, Field(ge=0, lt=1)] = 0.05


class TextGenerationLearner(BaseLearner):
    """A causal language model with its tokenizer and, if it is trainable, an adapter."""

    counts_items: ClassVar[bool] = True

    def __init__(self, folder: Path, config: TextGenerationConfig, examples: Dataset, trainable: bool = True) -> None:
        """Load the model."""
        self.tokenizer = load_pretrained(AutoTokenizer, folder)
        self.saved_dtype = load_pretrained(AutoConfig, folder).dtype or torch.float32
        self.network: Any = load_pretrained(AutoModelForCausalLM, folder, dtype=torch.float32)
        graph = TextGenerationGraph.assemble(self.network, self.tokenizer)
        self.max_tokens = min(config.max_tokens, graph.facts["max_tokens"] or config.max_tokens)
        self._pad = graph.pad
        if trainable:
            adapter = LoraConfig(
                task_type="CAUSAL_LM",
                target_modules="all-linear",
                r=config.rank,
                lora_alpha=config.alpha,
                lora_dropout=config.dropout,
            )
            self.network = get_peft_model(self.network, adapter)

    def encode(self, batch: dict[str, list[Any]]) -> Mapping[str, Any]:
        """Tokenize texts and chats, truncated to `max_tokens`; every token is to be predicted.

        Raises:
            InvalidInputError: An example is a chat, and the model has no chat template that takes it.
        """
        ids = [self._tokenize(text)[: self.max_tokens] for text in batch["text"]]
        return {"input_ids": ids}

    def collate(self, features: list[Any]) -> dict[str, Any]:
        """Pad the texts to the longest; padding is not to be predicted."""
        texts = [each["input_ids"] for each in features]
        inputs = self._pad(texts, "right")
        labels = inputs["input_ids"].clone()
        for row, text in zip(labels, texts, strict=True):
            row[len(text) :] = IGNORED_LABEL
        return {**inputs, "labels": labels}

    def save(self, folder: Path) -> None:
        """Write the network with the adapter merged, in the base model's data type, and the tokenizer."""
        self.network.merge_and_unload().to(self.saved_dtype).save_pretrained(folder)
        self.tokenizer.save_pretrained(folder)

    def _tokenize(self, text: Any) -> list[int]:
        """Return the tokens of a text and its end, or of a chat: a list of messages with a role and content."""
        if not isinstance(text, list):
            end = [] if self.tokenizer.eos_token_id is None else [self.tokenizer.eos_token_id]
            return [*self.tokenizer(str(text), verbose=False)["input_ids"], *end]
        if not self.tokenizer.chat_template:
            raise InvalidInputError("an example is a chat, but the model has no chat template: it only completes texts")
        try:
            rendered = self.tokenizer.apply_chat_template(text, tokenize=False)
        except Exception as error:  # templates raise errors of any type
            raise InvalidInputError(f"the model's chat template refuses an example: {error}") from None
        return self.tokenizer(rendered, add_special_tokens=False, verbose=False)["input_ids"]


class TextGenerationTraining(TransformersTraining[TextGenerationConfig]):
    """Train a causal language model."""

    Config = TextGenerationConfig
    Learner = TextGenerationLearner
    metric = Metric("loss", higher_is_better=False)
