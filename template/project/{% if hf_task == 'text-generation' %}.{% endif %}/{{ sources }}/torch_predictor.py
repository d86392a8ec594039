"""Text generation with torch."""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, NamedTuple

import torch
from transformers import AutoModelForCausalLM, AutoTokenizer, StoppingCriteriaList

from .batches import Budget, Item
from .detokenizer import decode, until
from .predictor import InvalidInput, InvalidParameter, Predictor
from .settings import Settings
from .streamer import Reader, Streamer
from .task import Generation, Parameters
from .torch_model import load, load_network, longest_input
from .weights import identify

SAMPLING = ("temperature", "top_k", "top_p")
"""Parameters that ask for tokens drawn at random."""


class Prompt(NamedTuple):
    """What is continued."""

    ids: list[int]
    text: str | None
    """What was asked, to be given back on demand; None for a turn of a chat."""
    reader: Reader | None = None
    """Who reads the text while it is written."""


class Turn(NamedTuple):
    """What a chat or a stream is continued with, and its length in tokens."""

    text: str
    tokens: int


class TorchPredictor(Predictor):
    """Prompts to texts. Loads from a folder; raises ModelUnavailable."""

    def __init__(self, folder: Path, settings: Settings) -> None:
        self.model, self.revision = identify(settings)
        self.budget = Budget(settings.max_batch_size, settings.max_batch_tokens)
        self._tokenizer = load(AutoTokenizer, folder, padding_side="left")
        if self._tokenizer.pad_token is None:
            self._tokenizer.pad_token = self._tokenizer.eos_token
        self._network = load_network(AutoModelForCausalLM, folder, settings)
        self._longest = longest_input(self._tokenizer, self._network)

    def prepare(self, inputs: Sequence[str], parameters: Parameters) -> list[Item]:
        """The ids of each prompt. Raises InvalidInput for a prompt that leaves no room."""
        if parameters.stream or parameters.details:
            raise InvalidParameter("stream, details: answers come whole here, and only a stream has details")
        encoded = self._tokenizer(list(inputs), verbose=False)["input_ids"]
        return [self._item(ids, text, parameters) for ids, text in zip(encoded, inputs, strict=True)]

    def prepare_chat(self, messages: list[dict[str, Any]], parameters: Parameters) -> list[Item]:
        """The ids of a chat, which a Turn continues.

        Raises InvalidInput if the model has no chat template, or the chat leaves no room.
        """
        if not self._tokenizer.chat_template:
            raise InvalidInput(f"{self.model} has no chat template: it completes texts, and does not chat")
        try:
            prompt = self._tokenizer.apply_chat_template(messages, tokenize=False, add_generation_prompt=True)
        except Exception as error:  # templates raise what they like
            raise InvalidInput(f"messages: the model's chat template refuses them: {error}") from None
        # The template has written the special tokens already.
        ids: list[int] = self._tokenizer(prompt, add_special_tokens=False, verbose=False)["input_ids"]
        return [self._item(ids, None, parameters)]

    def streaming(self, items: Sequence[Item], reader: Reader) -> list[Item]:
        """The items, to be continued alone and with Turns, whose text the reader gets while it is written."""
        return [replace(item, value=Prompt(item.value.ids, None, reader), group=object()) for item in items]

    def _item(self, ids: list[int], text: str | None, parameters: Parameters) -> Item:
        size = len(ids) + parameters.max_new_tokens
        if size > self._longest:
            raise InvalidInput(
                f"a prompt of {len(ids)} tokens and {parameters.max_new_tokens} new ones are more than "
                f"the {self._longest} that the model takes: shorten the prompt or lower max_new_tokens"
            )
        # What is drawn depends on what is drawn beside it, so that a prompt with a seed is continued alone.
        alike = parameters.model_dump_json(exclude={"return_full_text"}) if parameters.seed is None else object()
        return Item(Prompt(ids, text), parameters, size, alike)

    def repeats(self, parameters: Parameters) -> bool:
        """Whether the likeliest tokens are taken."""
        return not _draws(parameters)

    @torch.inference_mode()
    def compute(self, batch: Sequence[Item]) -> list[Generation | Turn]:
        """A text for each prompt, and a Turn for each chat and stream; all have the same parameters."""
        parameters: Parameters = batch[0].parameters
        prompts = [item.value.ids for item in batch]
        features = self._tokenizer.pad({"input_ids": prompts}, return_tensors="pt").to(self._network.device)
        if parameters.seed is not None:
            torch.manual_seed(parameters.seed)
        sampling = {name: getattr(parameters, name) for name in SAMPLING} if _draws(parameters) else {}
        options: dict[str, Any] = {
            "do_sample": _draws(parameters),
            "max_new_tokens": parameters.max_new_tokens,
            "pad_token_id": self._tokenizer.pad_token_id,
            **{name: value for name, value in sampling.items() if value is not None},
        }
        if parameters.repetition_penalty is not None:
            options["repetition_penalty"] = parameters.repetition_penalty
        if parameters.stop:
            options |= {"stop_strings": parameters.stop, "tokenizer": self._tokenizer}
        if reader := batch[0].value.reader:
            streamer = Streamer(self._tokenizer, parameters.stop, reader)
            options |= {"streamer": streamer, "stopping_criteria": StoppingCriteriaList([streamer])}
        written = self._network.generate(**features, **options)[:, features["input_ids"].shape[1] :]
        texts = [decode(self._tokenizer, ids) for ids in written.tolist()]
        lengths = (written != self._tokenizer.pad_token_id).sum(dim=1).tolist()
        return [
            self._answer(item, until(text, parameters.stop), length)
            for item, text, length in zip(batch, texts, lengths, strict=True)
        ]

    def _answer(self, item: Item, text: str, tokens: int) -> Generation | Turn:
        prompt: Prompt = item.value
        if prompt.text is None:
            return Turn(text, tokens)
        return Generation(generated_text=(prompt.text if item.parameters.return_full_text else "") + text)


def _draws(parameters: Parameters) -> bool:
    """Whether the next token is drawn at random."""
    if parameters.do_sample is not None:
        return parameters.do_sample
    return any(getattr(parameters, name) is not None for name in SAMPLING)
