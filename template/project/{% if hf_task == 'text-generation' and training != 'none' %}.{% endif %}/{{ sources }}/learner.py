"""What is learned: to write texts and chats alike. How an example is encoded, and what a model is judged by.

LoRA learns a small adapter, which is merged into the weights before they are published: what serves needs to know
nothing of it, and a version is whole without the base model.
"""

from pathlib import Path
from typing import Annotated, Any

import torch
from datasets import Dataset
from peft import LoraConfig, get_peft_model
from pydantic import Field
from transformers import AutoConfig, AutoModelForCausalLM, AutoTokenizer, DataCollatorForTokenClassification

from .predictor import InvalidInput
from .recipe import Recipe
from .torch_model import load, longest_input

METRIC = "loss"
HIGHER_IS_BETTER = False


class Training(Recipe):
    """How to train, and on which columns."""

    COLUMNS = ("text",)

    text: str = "text"
    max_tokens: Annotated[int, Field(ge=2)] = 512
    learning_rate: Annotated[float, Field(gt=0, lt=1)] = 2e-4
    rank: Annotated[int, Field(ge=1, le=1024)] = 16
    alpha: Annotated[int, Field(ge=1)] = 32
    dropout: Annotated[float, Field(ge=0, lt=1)] = 0.05


class Learner:
    """A model that learns, or is judged, with all that a Trainer wants to know of it."""

    measure = None  # the loss is enough

    def __init__(self, folder: Path, training: Training, examples: Dataset, learns: bool = True) -> None:
        """Raises ModelUnavailable."""
        self.tokenizer = load(AutoTokenizer, folder)
        if self.tokenizer.pad_token is None:
            self.tokenizer.pad_token = self.tokenizer.eos_token
        self.published_as = load(AutoConfig, folder).dtype or torch.float32
        self.network: Any = load(AutoModelForCausalLM, folder, dtype=torch.float32)
        self.longest = min(training.max_tokens, longest_input(self.tokenizer, self.network))
        self.collate = DataCollatorForTokenClassification(self.tokenizer)
        if learns:
            adapter = LoraConfig(
                task_type="CAUSAL_LM",
                target_modules="all-linear",
                r=training.rank,
                lora_alpha=training.alpha,
                lora_dropout=training.dropout,
            )
            self.network = get_peft_model(self.network, adapter)

    def encode(self, batch: dict[str, list[Any]]) -> dict[str, list[Any]]:
        """What the network takes, of examples to learn from; a long text is cut. Raises InvalidInput."""
        ids = [self._ids(text)[: self.longest] for text in batch["text"]]
        return {"input_ids": ids, "attention_mask": [[1] * len(each) for each in ids], "labels": ids}

    encode_to_judge = encode

    def _ids(self, text: Any) -> list[int]:
        """The tokens of a text up to its end, or of a chat: a list of messages, each with a role and content."""
        if not isinstance(text, list):
            return [*self.tokenizer(str(text), verbose=False)["input_ids"], self.tokenizer.eos_token_id]
        if not self.tokenizer.chat_template:
            raise InvalidInput("an example is a chat, and the model has no chat template: it completes texts")
        try:
            written = self.tokenizer.apply_chat_template(text, tokenize=False)
        except Exception as error:  # templates raise what they like
            raise InvalidInput(f"the model's chat template refuses an example: {error}") from None
        return self.tokenizer(written, add_special_tokens=False, verbose=False)["input_ids"]

    def save(self, folder: Path) -> None:
        """Writes the model, as it is to be published: whole, and in numbers like those of the base model."""
        self.network.merge_and_unload().to(self.published_as).save_pretrained(folder)
        self.tokenizer.save_pretrained(folder)
