"""Fill-mask: the tokens that fit a mask."""

from collections.abc import Mapping, Sequence
from typing import Any, Self

import numpy as np

from ..backends.base import Backend, BackendModel, ModelFiles
from ..base_settings import ServiceSettings
from ..errors import InvalidInputError, InvalidParameterError, ModelUnavailableError
from ..inference.batching import BatchLimits, Item
from .schemas import Fill, FillMaskParameters, Output
from .tokenizer import TextTokenizer


class FillMaskModel(BackendModel[str, Any, Any]):
    """Texts with a mask to tokens for it."""

    def __init__(self, files: ModelFiles, backend: Backend, limits: BatchLimits) -> None:
        super().__init__(files, backend, limits)
        self.tokenizer: TextTokenizer = files.preprocessor
        if self.tokenizer.facts.mask_id is None:
            raise ModelUnavailableError(f"{self.name} has no mask token: it cannot fill masks")
        self.mask_id = self.tokenizer.facts.mask_id

    @classmethod
    def load(cls, files: ModelFiles, backend: Backend, settings: ServiceSettings) -> Self:
        """Return the model, ready to predict.

        Raises:
            ModelUnavailableError: The model has no mask token.
        """
        limits = BatchLimits(settings.max_batch_size, settings.max_batch_tokens, settings.max_padding)
        return cls(files, backend, limits)

    @property
    def mask(self) -> str:
        """What to write in place of the missing word."""
        return self.tokenizer.decode([self.mask_id])

    def preprocess(self, inputs: Sequence[str], parameters: FillMaskParameters) -> list[Item]:
        """Return the token ids of each text.

        Raises:
            InvalidInputError: A text is too long, or has not exactly one mask.
            InvalidParameterError: A target is not in the vocabulary.
        """
        self._target_ids(parameters.targets)
        encoded = self.tokenizer.encode(inputs, may_truncate=False)
        for ids in encoded:
            if ids.count(self.mask_id) != 1:
                raise InvalidInputError(f"a text has {ids.count(self.mask_id)} masks: write {self.mask} once")
        return [Item(ids, parameters, len(ids)) for ids in encoded]

    def collate(self, items: Sequence[Item]) -> dict[str, np.ndarray]:
        """Return padded token ids and their mask."""
        return self.tokenizer.pad([item.value for item in items])

    def postprocess(self, outputs: Mapping[str, np.ndarray], items: Sequence[Item]) -> list[Output]:
        """Return the tokens for the mask of each text, best first."""
        pairs = zip(outputs["logits"], items, strict=True)
        return [self._fills(logits.astype(np.float64), item) for logits, item in pairs]

    def _fills(self, logits: np.ndarray, item: Item) -> Output:
        powers = np.exp(logits - logits.max())
        scores = powers / powers.sum()
        tokens = np.array(self._target_ids(item.parameters.targets) or range(len(scores)))
        best = tokens[np.argsort(-scores[tokens], kind="stable")[: item.parameters.top_k]]
        return [self._fill(item.value, int(token), float(scores[token])) for token in best]

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
