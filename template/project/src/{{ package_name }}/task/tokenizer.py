"""Turn texts into token ids and batches of them, with transformers or with the tokenizer of an export alone."""

import copy
import threading
from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Literal, Self

import numpy as np

from ..errors import EmptyInputError, InputTooLongError, ModelUnavailableError
from .long_texts import Text, are_long

TOKENIZER_FILE = "tokenizer.json"

MASK_INPUT = "attention_mask"
"""Input of a network that is 1 at tokens and 0 at padding; it is made with the batch."""

Side = Literal["left", "right"]
Encoded = dict[str, list[int]]
"""What the tokenizer returns for a text: a number of each token by the name of the network's input."""


@dataclass(frozen=True)
class TokenizerFacts:
    """Properties of a tokenizer that batches need, beside its file."""

    max_tokens: int | None
    """Length of the longest input, in tokens; None if there is no limit."""
    padding: Mapping[str, int]
    """Inputs of the network by name, with their value at padding."""
    padding_side: str
    pads: bool
    """Whether padding leaves the answer as it is; otherwise a batch holds texts of one length."""
    mask_id: int | None
    unknown_id: int | None


class TextTokenizer(ABC):
    """A tokenizer for several threads: long texts have a copy of their own, so that short ones never wait for them.

    A tokenizer of either library is for one thread at a time, because how it truncates is part of its state.
    """

    def __init__(self, facts: TokenizerFacts) -> None:
        self.facts = facts
        self._lock = threading.Lock()
        self._for_long: Self | None = None

    def __getstate__(self) -> dict[str, Any]:
        """Return what a copy has, which is used on its own."""
        return {name: value for name, value in vars(self).items() if name not in ("_lock", "_for_long")}

    def __setstate__(self, state: dict[str, Any]) -> None:
        """Restore a copy."""
        vars(self).update(state, _lock=threading.Lock(), _for_long=None)

    def encode(
        self, texts: Sequence[Text], truncate: bool = False, side: Side = "right", may_truncate: bool = True
    ) -> list[Encoded]:
        """Return the tokens of each text.

        Args:
            texts: What to tokenize.
            truncate: Cut a text that is too long; of a pair, the longer text first.
            side: The end to cut.
            may_truncate: Whether the task has a parameter to truncate, for the error to name.

        Raises:
            EmptyInputError: A text has no token.
            InputTooLongError: A text is longer than the model takes, and is not to be cut.
        """
        longest = self.facts.max_tokens
        tokenizer = self._copied() if are_long(texts) else self
        with tokenizer._lock:
            encoded = tokenizer._encode(texts, truncate and longest is not None, side)
        for each in encoded:
            count = len(each["input_ids"])
            if not count:
                raise EmptyInputError("a text has no token: the model needs one at least")
            if longest is not None and count > longest:
                hint = ", or set the parameter truncate to true" if may_truncate else ""
                raise InputTooLongError(f"a text has {count} tokens and the model takes {longest}: shorten it{hint}")
        return encoded

    def pad(self, batch: Sequence[Encoded]) -> dict[str, np.ndarray]:
        """Return the inputs of the network by name, each (batch, length), int64; the mask is 0 at padding."""
        lengths = [len(each["input_ids"]) for each in batch]
        longest, left = max(lengths), self.facts.padding_side == "left"
        places = [slice(longest - length, None) if left else slice(length) for length in lengths]
        padded = {}
        for name, value in self.facts.padding.items():
            array = np.full((len(batch), longest), value, np.int64)
            for row, (each, place) in enumerate(zip(batch, places, strict=True)):
                array[row, place] = 1 if name == MASK_INPUT else each[name]
            padded[name] = array
        return padded

    def _copied(self) -> Self:
        """Return the tokenizer of long texts, which the first one makes; some have no copy, and share this one."""
        if self._for_long is None:
            with self._lock:
                try:
                    self._for_long = copy.deepcopy(self)
                except Exception:  # a tokenizer written in Python may hold anything
                    self._for_long = self
        return self._for_long

    @abstractmethod
    def decode(self, ids: Sequence[int], skip_special_tokens: bool = False) -> str:
        """Return the text of token ids."""

    @abstractmethod
    def token_id(self, token: str) -> int | None:
        """Return the id of a token; None, or that of the unknown token, if the vocabulary lacks it."""

    @abstractmethod
    def _encode(self, texts: Sequence[Text], truncate: bool, side: Side) -> list[Encoded]: ...


class TransformersTokenizer(TextTokenizer):
    """A tokenizer of transformers, whose results a network takes by the names of `padding`."""

    def __init__(self, tokenizer: Any, max_tokens: int | None, padding: Mapping[str, int], pads: bool = True) -> None:
        self.tokenizer = tokenizer
        super().__init__(
            TokenizerFacts(
                max_tokens=max_tokens,
                padding=padding,
                padding_side=tokenizer.padding_side,
                pads=pads,
                mask_id=tokenizer.mask_token_id,
                unknown_id=tokenizer.unk_token_id,
            )
        )

    def decode(self, ids: Sequence[int], skip_special_tokens: bool = False) -> str:
        """Return the text of token ids."""
        return str(self.tokenizer.decode(ids, skip_special_tokens=skip_special_tokens))

    def token_id(self, token: str) -> int | None:
        """Return the id of a token; that of the unknown token if the vocabulary lacks it."""
        found: int | None = self.tokenizer.convert_tokens_to_ids(token)
        return found

    def truncated(self, max_tokens: int) -> Self:
        """Return the tokenizer with a limit of so many tokens, unless the model's is lower."""
        longest = max_tokens if self.facts.max_tokens is None else min(max_tokens, self.facts.max_tokens)
        return type(self)(self.tokenizer, longest, self.facts.padding, self.facts.pads)

    def save(self, folder: Path) -> None:
        """Write the file that `ExportedTokenizer` opens.

        Raises:
            ModelUnavailableError: The tokenizer has no such file.
        """
        if not self.tokenizer.is_fast:
            raise ModelUnavailableError("the model's tokenizer needs transformers, so it cannot be exported: use torch")
        self.tokenizer.backend_tokenizer.save(str(folder / TOKENIZER_FILE))

    def _encode(self, texts: Sequence[Text], truncate: bool, side: Side) -> list[Encoded]:
        self.tokenizer.truncation_side = side
        options = {"truncation": truncate, "max_length": self.facts.max_tokens if truncate else None, "verbose": False}
        if not any(isinstance(text, tuple) for text in texts):
            return self._rows(self.tokenizer(list(texts), **options))
        # A batch of transformers holds either texts or pairs.
        calls = [([text[0]], [text[1]]) if isinstance(text, tuple) else ([text],) for text in texts]
        return [row for arguments in calls for row in self._rows(self.tokenizer(*arguments, **options))]

    def _rows(self, encoded: Mapping[str, list[list[int]]]) -> list[Encoded]:
        kept = [name for name in encoded if name == "input_ids" or (name in self.facts.padding and name != MASK_INPUT)]
        return [dict(zip(kept, row, strict=True)) for row in zip(*(encoded[name] for name in kept), strict=True)]


class ExportedTokenizer(TextTokenizer):
    """The tokenizer of an export, which needs no transformers."""

    def __init__(self, file: Path, facts: TokenizerFacts) -> None:
        from tokenizers import Tokenizer

        super().__init__(facts)
        self._tokenizer = Tokenizer.from_file(str(file))
        self._tokenizer.no_padding()
        self._types = "token_type_ids" in facts.padding

    @classmethod
    def open(cls, folder: Path, facts: dict[str, Any]) -> Self:
        """Return the tokenizer of the export in a folder, with its facts."""
        return cls(folder / TOKENIZER_FILE, TokenizerFacts(**facts["tokenizer"]))

    def decode(self, ids: Sequence[int], skip_special_tokens: bool = False) -> str:
        """Return the text of token ids."""
        return self._tokenizer.decode(list(ids), skip_special_tokens=skip_special_tokens)

    def token_id(self, token: str) -> int | None:
        """Return the id of a token; None if the vocabulary lacks it."""
        return self._tokenizer.token_to_id(token)

    def _encode(self, texts: Sequence[Text], truncate: bool, side: Side) -> list[Encoded]:
        if truncate and self.facts.max_tokens is not None:
            self._tokenizer.enable_truncation(self.facts.max_tokens, direction=side)
        else:
            self._tokenizer.no_truncation()
        encoded = self._tokenizer.encode_batch_fast(list(texts))
        if self._types:
            return [{"input_ids": each.ids, "token_type_ids": each.type_ids} for each in encoded]
        return [{"input_ids": each.ids} for each in encoded]


def tokenizer_facts(tokenizer: TransformersTokenizer) -> dict[str, Any]:
    """Return the facts of a tokenizer, as `ExportedTokenizer.open` reads them."""
    return {"tokenizer": asdict(tokenizer.facts)}
