"""Text generation with torch."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch
from transformers import AutoModelForCausalLM, AutoTokenizer

from .predictor import InvalidInput
from .settings import Settings
from .task import Generation, Parameters
from .torch_model import in_batches, load, load_network, longest_input
from .weights import identify


class TorchPredictor:
    """Prompts to texts. Loads from a folder; raises ModelUnavailable."""

    def __init__(self, folder: Path, settings: Settings) -> None:
        self.model, self.revision = identify(settings)
        self._batch_size = settings.max_batch_size
        self._tokenizer = load(AutoTokenizer, folder, padding_side="left")
        if self._tokenizer.pad_token is None:
            self._tokenizer.pad_token = self._tokenizer.eos_token
        self._network = load_network(AutoModelForCausalLM, folder, settings)
        self._longest = longest_input(self._tokenizer, self._network)

    def predict(self, inputs: Sequence[str], parameters: Parameters) -> list[Generation]:
        """A text for each prompt. Raises InvalidInput for a prompt that leaves no room."""
        encoded = self._tokenizer(list(inputs), verbose=False)["input_ids"]
        texts = self._continue(encoded, parameters)
        return [
            Generation(generated_text=(prompt if parameters.return_full_text else "") + text)
            for prompt, (text, _) in zip(inputs, texts, strict=True)
        ]

    def chat(self, messages: list[dict[str, Any]], parameters: Parameters) -> tuple[str, int, int]:
        """The next turn of a chat, the tokens of the prompt, and those that were written.

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
        [(text, written)] = self._continue([ids], parameters)
        return text, len(ids), written

    def _continue(self, encoded: list[list[int]], parameters: Parameters) -> list[tuple[str, int]]:
        """What follows each prompt, and its length in tokens."""
        for ids in encoded:
            if len(ids) + parameters.max_new_tokens > self._longest:
                raise InvalidInput(
                    f"a prompt of {len(ids)} tokens and {parameters.max_new_tokens} new ones are more than "
                    f"the {self._longest} that the model takes: shorten the prompt or lower max_new_tokens"
                )
        return in_batches(encoded, len, self._batch_size, lambda batch: self._generate(batch, parameters))

    def _generate(self, prompts: list[list[int]], parameters: Parameters) -> list[tuple[str, int]]:
        features = self._tokenizer.pad({"input_ids": prompts}, return_tensors="pt").to(self._network.device)
        if parameters.seed is not None:
            torch.manual_seed(parameters.seed)
        sampling = {
            name: value
            for name in ("temperature", "top_k", "top_p")
            if (value := getattr(parameters, name)) is not None and parameters.do_sample is not False
        }
        options: dict[str, Any] = {
            "do_sample": bool(sampling) if parameters.do_sample is None else parameters.do_sample,
            "max_new_tokens": parameters.max_new_tokens,
            "pad_token_id": self._tokenizer.pad_token_id,
            **sampling,
        }
        if parameters.repetition_penalty is not None:
            options["repetition_penalty"] = parameters.repetition_penalty
        if parameters.stop:
            options |= {"stop_strings": parameters.stop, "tokenizer": self._tokenizer}
        written = self._network.generate(**features, **options)[:, features["input_ids"].shape[1] :]
        texts = self._tokenizer.batch_decode(written, skip_special_tokens=True)
        lengths = (written != self._tokenizer.pad_token_id).sum(dim=1).tolist()
        return [(_until(text, parameters.stop), length) for text, length in zip(texts, lengths, strict=True)]


def _until(text: str, stop: list[str]) -> str:
    """The text up to the first stop, which generation may have run past by part of a token."""
    return text[: min((at for each in stop if (at := text.find(each)) >= 0), default=len(text))]
