"""Text generation: prompts and chats are continued, whole or streamed."""

import itertools
from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any, ClassVar, NamedTuple, Self, cast

import torch
from transformers import StoppingCriteriaList

from ..backends.base import ModelFiles
from ..backends.torch import TorchBackend
from ..base_settings import ServiceSettings
from ..errors import EmptyInputError, InputTooLongError, InvalidInputError, InvalidParameterError
from ..inference.batching import BatchLimits, Item
from ..inference.model import InferenceModel
from .chat import as_taken, check_complete
from .detokenizer import decode, truncate_at
from .long_texts import are_long
from .schemas import Generation, TextGenerationParameters
from .streamer import Reader, Streamer

if TYPE_CHECKING:
    from .graph import TextGenerationGraph

WARM_UP_TOKENS = 2
"""Tokens that a warm-up generates."""

SAMPLING = ("temperature", "top_k", "top_p")
"""Parameters that switch sampling on."""


class Prompt(NamedTuple):
    """A prompt to continue."""

    ids: list[int]
    text: str | None
    """The prompt, to return it on demand; None for a turn of a chat."""
    reader: Reader | None = None
    """Reads the text while it is generated."""


class Turn(NamedTuple):
    """The continuation of a chat or a stream, and its length in tokens."""

    text: str
    tokens: int


class TextGenerationModel(InferenceModel[str, Any, Any]):
    """Prompts to texts."""

    nest_single_output: ClassVar[bool] = True

    def __init__(self, files: ModelFiles, backend: TorchBackend, limits: BatchLimits) -> None:
        self.name, self.revision = files.name, files.revision
        self.limits = limits
        self._graph = cast("TextGenerationGraph", backend.graph)
        self._network: Any = self._graph.network
        self._tokenizer: Any = files.preprocessor
        self._max_tokens: int | None = files.facts["max_tokens"]
        self._pads: bool = files.facts["pads"]
        ends = self._network.generation_config.eos_token_id
        self._ends = {ends} if isinstance(ends, int) else set(ends or ())

    @classmethod
    def load(cls, files: ModelFiles, backend: TorchBackend, settings: ServiceSettings) -> Self:
        """Return the model, ready to predict."""
        return cls(files, backend, BatchLimits(settings.max_batch_size, settings.max_batch_tokens))

    def is_large(self, inputs: Sequence[str]) -> bool:
        """Return whether prompts take long to tokenize. None is truncated, so two threads can share a tokenizer."""
        return are_long(inputs)

    def preprocess(self, inputs: Sequence[str], parameters: TextGenerationParameters) -> list[Item]:
        """Return the token ids of each prompt.

        Raises:
            InputTooLongError: A prompt leaves no room for the text.
            InvalidParameterError: The parameters are for a stream.
        """
        if parameters.stream or parameters.details:
            raise InvalidParameterError("stream, details: only a streamed answer has these")
        encoded = self._tokenizer(list(inputs), verbose=False)["input_ids"]
        return [self._item(ids, text, parameters) for ids, text in zip(encoded, inputs, strict=True)]

    def preprocess_ids(self, prompts: Sequence[list[int]], parameters: TextGenerationParameters) -> list[Item]:
        """Return the items of prompts that are token ids already, whose predictions are a `Turn` each.

        Raises:
            InputTooLongError: A prompt leaves no room for the text.
            InvalidInputError: The model has no such token.
        """
        known: int = self._network.get_input_embeddings().num_embeddings
        for token in itertools.chain.from_iterable(prompts):
            if not 0 <= token < known:
                raise InvalidInputError(f"prompt: the model has no token {token}, only those from 0 to {known - 1}")
        return [self._item(ids, None, parameters) for ids in prompts]

    def preprocess_chat(self, messages: list[dict[str, Any]], parameters: TextGenerationParameters) -> list[Item]:
        """Return the token ids of a chat, whose prediction is a `Turn`.

        Raises:
            InputTooLongError: The chat leaves no room for an answer.
            InvalidInputError: The model has no chat template, or the template rejects messages or leaves some out.
        """
        if not self._tokenizer.chat_template:
            raise InvalidInputError(f"{self.name} has no chat template: it completes texts, but does not chat")
        taken = as_taken(messages, self._render)
        prompt = self._render(taken)
        check_complete(taken, prompt, self._render)
        # The template has added the special tokens.
        ids: list[int] = self._tokenizer(prompt, add_special_tokens=False, verbose=False)["input_ids"]
        return [self._item(ids, None, parameters)]

    def streaming(self, items: Sequence[Item], reader: Reader) -> list[Item]:
        """Return the items to be computed alone, for a reader that gets the text while it is generated."""
        return [replace(item, value=Prompt(item.value.ids, None, reader), group=object()) for item in items]

    def _render(self, messages: Sequence[dict[str, Any]]) -> str:
        """Return the prompt of a chat."""
        try:
            prompt: str = self._tokenizer.apply_chat_template(
                list(messages), tokenize=False, add_generation_prompt=True
            )
        except Exception as error:  # templates raise exceptions of any kind
            raise InvalidInputError(f"messages: the model's chat template rejected them: {error}") from None
        return prompt

    def _item(self, ids: list[int], text: str | None, parameters: TextGenerationParameters) -> Item:
        if self._max_tokens is not None and "max_new_tokens" not in parameters.model_fields_set:  # less will do
            room = max(1, min(parameters.max_new_tokens, self._max_tokens - len(ids)))
            parameters = parameters.model_copy(update={"max_new_tokens": room})
        size = len(ids) + parameters.max_new_tokens
        if not ids:
            raise EmptyInputError("a prompt has no token: the model needs one at least")
        if self._max_tokens is not None and size > self._max_tokens:
            raise InputTooLongError(
                f"a prompt of {len(ids)} tokens and {parameters.max_new_tokens} new ones are more than "
                f"the {self._max_tokens} that the model takes: shorten the prompt or lower max_new_tokens (max_tokens)"
            )
        # Samples depend on the other prompts of a batch, so a prompt with a seed is computed alone.
        alike = parameters.model_dump_json(exclude={"return_full_text"}) if parameters.seed is None else object()
        return Item(Prompt(ids, text), parameters, size, (alike, None if self._pads else len(ids)))

    def warm_up(self, inputs: Sequence[Any], parameters: Any) -> None:
        """Continue prompts by a few tokens."""
        if isinstance(parameters, TextGenerationParameters):
            parameters = parameters.model_copy(update={"max_new_tokens": WARM_UP_TOKENS})
        super().warm_up(inputs, parameters)

    def is_deterministic(self, parameters: TextGenerationParameters) -> bool:
        """Return whether the parameters take the likeliest tokens."""
        return not _samples(parameters)

    @torch.inference_mode()
    def predict_batch(self, items: Sequence[Item]) -> list[Generation | Turn]:
        """Return a text for each prompt, or a `Turn` for a chat or a stream; all items have the same parameters."""
        parameters: TextGenerationParameters = items[0].parameters
        prompts = [item.value.ids for item in items]
        features = {name: tensor.to(self._network.device) for name, tensor in self._graph.pad(prompts).items()}
        if parameters.seed is not None:
            torch.manual_seed(parameters.seed)
        sampling = {name: getattr(parameters, name) for name in SAMPLING} if _samples(parameters) else {}
        options: dict[str, Any] = {
            "do_sample": _samples(parameters),
            "max_new_tokens": parameters.max_new_tokens,
            "pad_token_id": self._graph.padding_id,
            # What the model's generation_config.json may ask for, and an answer has no place for.
            "num_return_sequences": 1,
            "return_dict_in_generate": False,
            "tokenizer": self._tokenizer,  # of stop strings, which that file may have, too
            **{name: value for name, value in sampling.items() if value is not None},
        }
        if parameters.repetition_penalty is not None:
            options["repetition_penalty"] = parameters.repetition_penalty
        if parameters.stop:
            options["stop_strings"] = parameters.stop
        if reader := items[0].value.reader:
            streamer = Streamer(self._tokenizer, parameters.stop, reader)
            options["stopping_criteria"] = StoppingCriteriaList([streamer])
            if (self._network.generation_config.num_beams or 1) == 1:  # several beams know no token before their end
                options["streamer"] = streamer
        written = self._network.generate(**features, **options)[:, features["input_ids"].shape[1] :]
        answers = []
        for item, ids in zip(items, written.tolist(), strict=True):
            length = self._count(ids)
            text = decode(
                self._tokenizer, ids[: length + 1]
            )  # with the token that ends a text, which may mean something
            answers.append(self._answer(item, truncate_at(text, parameters.stop), length))
        return answers

    def _count(self, ids: list[int]) -> int:
        """Return the number of tokens before the one that ends the text, or before the padding."""
        for place, each in enumerate(ids):
            if each in self._ends:
                return place
        length = len(ids)
        while length and ids[length - 1] == self._graph.padding_id:
            length -= 1
        return length

    def _answer(self, item: Item, text: str, tokens: int) -> Generation | Turn:
        prompt: Prompt = item.value
        if prompt.text is None:
            return Turn(text, tokens)
        return Generation(generated_text=(prompt.text if item.parameters.return_full_text else "") + text)


def _samples(parameters: TextGenerationParameters) -> bool:
    """Return whether the next token is sampled."""
    if parameters.do_sample is not None:
        return parameters.do_sample
    return any(getattr(parameters, name) is not None for name in SAMPLING)
