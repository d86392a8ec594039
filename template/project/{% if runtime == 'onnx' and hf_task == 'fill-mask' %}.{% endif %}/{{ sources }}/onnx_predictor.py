"""Fill-mask with ONNX Runtime."""

from collections.abc import Sequence

import numpy as np

from .batches import Budget, Item
from .exported import ExportedPredictor
from .onnx_tokenizer import OnnxTokenizer
from .predictor import InvalidInput
from .settings import Settings
from .task import Fill, Parameters


class OnnxPredictor(ExportedPredictor):
    """Texts with a mask to words for it. Loads what `export` made; raises ModelUnavailable."""

    def __init__(self, settings: Settings) -> None:
        super().__init__(settings)
        self.budget = Budget(settings.max_batch_size, settings.max_batch_tokens, settings.max_padding)
        self._tokenizer = OnnxTokenizer(self._exported)
        self._mask: int = self._exported.facts["mask"]
        self._unknown: int | None = self._exported.facts["unknown"]

    @property
    def mask(self) -> str:
        """What to write where a word is missing."""
        return str(self._tokenizer.tokenizer.id_to_token(self._mask))

    def prepare(self, inputs: Sequence[str], parameters: Parameters) -> list[Item]:
        """The ids of each text. Raises InvalidInput unless a text has one mask and fits."""
        self._targets(parameters.targets)
        encoded = self._tokenizer.encode(inputs, may_be_cut=False)
        for ids in encoded:
            if ids.count(self._mask) != 1:
                raise InvalidInput(f"a text has {ids.count(self._mask)} masks: write {self.mask} once")
        return [Item(ids, parameters, len(ids)) for ids in encoded]

    def compute(self, batch: Sequence[Item]) -> list[list[Fill]]:
        """Words for the mask of each text, best first."""
        logits = self._run(**self._tokenizer.pad([item.value for item in batch]))
        return [self._fills(each.astype(np.float64), item) for each, item in zip(logits, batch, strict=True)]

    def _fills(self, logits: np.ndarray, item: Item) -> list[Fill]:
        powers = np.exp(logits - logits.max())
        scores = powers / powers.sum()
        tokens = np.array(self._targets(item.parameters.targets) or range(len(scores)))
        best = tokens[np.argsort(-scores[tokens], kind="stable")[: item.parameters.top_k]]
        return [self._word(item.value, int(token), float(scores[token])) for token in best]

    def _targets(self, words: list[str] | None) -> list[int] | None:
        if words is None:
            return None
        ids = {word: self._tokenizer.tokenizer.token_to_id(word) for word in words}
        unknown = [word for word, each in ids.items() if each in (None, self._unknown)]
        if unknown:
            raise InvalidInput(f"targets: {', '.join(unknown)} is not in the model's vocabulary")
        return sorted({each for each in ids.values() if each is not None})

    def _word(self, ids: list[int], token: int, score: float) -> Fill:
        decode = self._tokenizer.tokenizer.decode
        filled = [token if each == self._mask else each for each in ids]
        return Fill(
            score=score,
            token=token,
            token_str=decode([token], skip_special_tokens=False),
            sequence=decode(filled),
        )
