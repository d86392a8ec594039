"""Fill-mask: the tokens that fit a mask."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from ..backends.base import Backend, ModelFiles
from ..errors import InvalidInputError, InvalidParameterError, ModelUnavailableError
from ..inference.batching import BatchLimits, Item
from .schemas import ANY_MASK, Fill, FillMaskParameters, Output
from .text_model import TextModel


class FillMaskModel(TextModel[str, Any, Any]):
    """Texts with a mask to tokens for it."""

    def __init__(self, files: ModelFiles, backend: Backend, limits: BatchLimits) -> None:
        super().__init__(files, backend, limits)
        if self.tokenizer.facts.mask_id is None:
            raise ModelUnavailableError(f"{self.name} has no mask token: it cannot fill masks")
        self.mask_id = self.tokenizer.facts.mask_id

    @property
    def mask(self) -> str:
        """What to write in place of the missing word."""
        return self.tokenizer.decode([self.mask_id])

    def preprocess(self, inputs: Sequence[str], parameters: FillMaskParameters) -> list[Item]:
        """Return the tokens of each text.

        Raises:
            InvalidInputError: A text is too long, or has not exactly one mask.
            InvalidParameterError: A target is not in the vocabulary.
        """
        self._target_ids(parameters.targets)
        texts = [each.replace(ANY_MASK, self.mask) for each in inputs]
        encoded = self.tokenizer.encode(texts, may_truncate=False)
        for each in encoded:
            if (count := each["input_ids"].count(self.mask_id)) != 1:
                raise InvalidInputError(f"a text has {count} masks: write {self.mask} once")
        return self.items(texts, encoded, parameters)

    def postprocess(self, outputs: Mapping[str, np.ndarray], items: Sequence[Item]) -> list[Output]:
        """Return the tokens for the mask of each text, best first."""
        pairs = zip(outputs["logits"], items, strict=True)
        return [self._fills(logits.astype(np.float64), item) for logits, item in pairs]

    def _fills(self, logits: np.ndarray, item: Item) -> Output:
        powers = np.exp(logits - logits.max())
        scores = powers / powers.sum()
        tokens = np.array(self._target_ids(item.parameters.targets) or range(len(scores)))
        best = tokens[np.argsort(-scores[tokens], kind="stable")[: item.parameters.top_k]]
        return [self._fill(item.value["input_ids"], int(token), float(scores[token])) for token in best]

    def _target_ids(self, words: list[str] | None) -> list[int] | None:
        if words is None:
            return None
        ids = {word: self.tokenizer.token_id(word) for word in words}
        unknown = [word for word, each in ids.items() if each in (None, self.tokenizer.facts.unknown_id)]
        if unknown:
            raise InvalidParameterError(f"targets: {', '.join(unknown)} is not in the model's vocabulary")
        return sorted({each for each in ids.values() if each is not None})

    def _fill(self, ids: list[int], token: int, score: float) -> Fill:
        filled = [token if each == self.mask_id else each for each in ids]
        return Fill(
            score=score,
            token=token,
            token_str=self.tokenizer.decode([token]),
            sequence=self.tokenizer.decode(filled, skip_special_tokens=True),
        )
