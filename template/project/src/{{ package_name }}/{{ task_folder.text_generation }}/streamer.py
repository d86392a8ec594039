"""Pass tokens on while the model generates more."""

from collections.abc import Sequence
from typing import Any, Protocol

import torch
from transformers import StoppingCriteria
from transformers.generation import BaseStreamer

from .detokenizer import Detokenizer, Piece


class Reader(Protocol):
    """Reads pieces of text while they are generated."""

    @property
    def wanted(self) -> bool:
        """Whether the reader wants more."""
        ...

    def put(self, piece: Piece) -> None:
        """Take a token from the computing thread, without waiting."""
        ...


class Streamer(BaseStreamer, StoppingCriteria):
    """Takes the tokens of one prompt from `generate`, and stops it when the reader has gone."""

    def __init__(self, tokenizer: Any, stop: Sequence[str], reader: Reader) -> None:
        self._reader = reader
        self._special = set(tokenizer.all_special_ids)
        self._detokenizer = Detokenizer(tokenizer, stop)
        self._started = False

    def put(self, value: torch.Tensor) -> None:
        """Take the prompt first, then each token."""
        if self._started:
            for token in value.tolist():
                self._reader.put(Piece(token, self._detokenizer.add(token), token in self._special))
        self._started = True

    def end(self) -> None:
        """Do nothing after the last token."""

    def __call__(self, input_ids: torch.LongTensor, scores: Any, **kwargs: Any) -> Any:
        """Return whether to stop, after each token."""
        return torch.full((len(input_ids),), not self._reader.wanted, dtype=torch.bool, device=input_ids.device)
