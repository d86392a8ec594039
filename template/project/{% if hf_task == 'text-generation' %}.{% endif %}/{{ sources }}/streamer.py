"""Gives tokens away while the model writes more of them."""

from collections.abc import Sequence
from typing import Any, Protocol

import torch
from transformers import StoppingCriteria
from transformers.generation import BaseStreamer

from .detokenizer import Detokenizer, Piece


class Reader(Protocol):
    """Who reads pieces while they are written."""

    @property
    def wanted(self) -> bool:
        """Whether more is read."""
        ...

    def put(self, piece: Piece) -> None:
        """Called for each token by the computing thread; returns at once."""
        ...


class Streamer(BaseStreamer, StoppingCriteria):
    """Takes the tokens of one prompt from `generate`, and stops it when nobody reads them any more."""

    def __init__(self, tokenizer: Any, stop: Sequence[str], reader: Reader) -> None:
        self._reader = reader
        self._special = set(tokenizer.all_special_ids)
        self._detokenizer = Detokenizer(tokenizer, stop)
        self._began = False

    def put(self, value: torch.Tensor) -> None:
        """Called with the prompt at first, then with each token."""
        if self._began:
            for token in value.tolist():
                self._reader.put(Piece(token, self._detokenizer.add(token), token in self._special))
        self._began = True

    def end(self) -> None:
        """Called after the last token."""

    def __call__(self, input_ids: torch.LongTensor, scores: Any, **kwargs: Any) -> Any:
        """Called after each token: whether to stop."""
        return torch.full((len(input_ids),), not self._reader.wanted, dtype=torch.bool, device=input_ids.device)
