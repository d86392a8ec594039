"""Turn texts into token ids and batches of them, with transformers or with the tokenizer of an export alone."""

from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Literal, Self

import numpy as np

from ..errors import InvalidInputError, ModelUnavailableError

TOKENIZER_FILE = "tokenizer.json"

Side = Literal["left", "right"]


@dataclass(frozen=True)
class TokenizerFacts:
    """Properties of a tokenizer that batches need, beside its file."""

    max_tokens: int
    """Length of the longest input, in tokens."""
    padding_id: int
    padding_side: str
    mask_id: int | None
    unknown_id: int | None


class TextTokenizer(ABC):
    """A tokenizer, for one thread at a time."""

    def __init__(self, facts: TokenizerFacts) -> None:
        self.facts = facts

    def encode(
        self, texts: Sequence[str], truncate: bool = False, side: Side = "right", may_truncate: bool = True
    ) -> list[list[int]]:
        """Return the token ids of each text.

        Args:
            texts: What to tokenize.
            truncate: Cut a text that is too long.
            side: The end to cut.
            may_truncate: Whether the task has a parameter to truncate, for the error to name.

        Raises:
            InvalidInputError: A text is longer than the model takes, and is not to be cut.
        """
        encoded = self._encode(texts, truncate, side)
        longest = self.facts.max_tokens
        for ids in encoded:
            if len(ids) > longest:
                hint = ", or set the parameter truncate to true" if may_truncate else ""
                raise InvalidInputError(f"a text has {len(ids)} tokens and the model takes {longest}: shorten it{hint}")
        return encoded

    def pad(self, batch: Sequence[Sequence[int]]) -> dict[str, np.ndarray]:
        """Return `input_ids` and `attention_mask`, each (batch, length), int64; the mask is 0 at padding."""
        length = max(map(len, batch))
        ids = np.full((len(batch), length), self.facts.padding_id, np.int64)
        mask = np.zeros((len(batch), length), np.int64)
        for row, each in enumerate(batch):
            place = slice(length - len(each), None) if self.facts.padding_side == "left" else slice(len(each))
            ids[row, place] = each
            mask[row, place] = 1
        return {"input_ids": ids, "attention_mask": mask}

    @abstractmethod
    def decode(self, ids: Sequence[int], skip_special_tokens: bool = False) -> str:
        """Return the text of token ids."""

    @abstractmethod
    def token_id(self, token: str) -> int | None:
        """Return the id of a token; None, or that of the unknown token, if the vocabulary lacks it."""

    @abstractmethod
    def _encode(self, texts: Sequence[str], truncate: bool, side: Side) -> list[list[int]]: ...


class TransformersTokenizer(TextTokenizer):
    """A tokenizer of transformers."""

    def __init__(self, tokenizer: Any, max_tokens: int) -> None:
        self.tokenizer = tokenizer
        super().__init__(
            TokenizerFacts(
                max_tokens=max_tokens,
                padding_id=tokenizer.pad_token_id or 0,
                padding_side=tokenizer.padding_side,
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

    def save(self, folder: Path) -> None:
        """Write the file that `ExportedTokenizer` opens.

        Raises:
            ModelUnavailableError: The tokenizer has no such file.
        """
        if not self.tokenizer.is_fast:
            raise ModelUnavailableError("the model's tokenizer needs transformers, so it cannot be exported: use torch")
        self.tokenizer.backend_tokenizer.save(str(folder / TOKENIZER_FILE))

    def _encode(self, texts: Sequence[str], truncate: bool, side: Side) -> list[list[int]]:
        self.tokenizer.truncation_side = side
        encoded = self.tokenizer(
            list(texts), truncation=truncate, max_length=self.facts.max_tokens if truncate else None, verbose=False
        )
        ids: list[list[int]] = encoded["input_ids"]
        return ids


class ExportedTokenizer(TextTokenizer):
    """The tokenizer of an export, which needs no transformers."""

    def __init__(self, file: Path, facts: TokenizerFacts) -> None:
        from tokenizers import Tokenizer

        super().__init__(facts)
        self._tokenizer = Tokenizer.from_file(str(file))
        self._tokenizer.no_padding()

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

    def _encode(self, texts: Sequence[str], truncate: bool, side: Side) -> list[list[int]]:
        if truncate:
            self._tokenizer.enable_truncation(self.facts.max_tokens, direction=side)
        else:
            self._tokenizer.no_truncation()
        return [each.ids for each in self._tokenizer.encode_batch_fast(list(texts))]


def tokenizer_facts(tokenizer: TransformersTokenizer) -> dict[str, Any]:
    """Return the facts of a tokenizer, as `ExportedTokenizer.open` reads them."""
    return {"tokenizer": asdict(tokenizer.facts)}
