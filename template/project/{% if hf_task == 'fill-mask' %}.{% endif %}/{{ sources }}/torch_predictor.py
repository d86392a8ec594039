"""Fill-mask with torch."""

from collections.abc import Sequence
from pathlib import Path

import torch
from transformers import AutoModelForMaskedLM, AutoTokenizer

from .predictor import InvalidInput, ModelUnavailable
from .settings import Settings
from .task import Fill, Parameters
from .torch_model import in_batches, load, load_network, longest_input
from .weights import identify


class TorchPredictor:
    """Texts with a mask to words for it. Loads from a folder; raises ModelUnavailable."""

    def __init__(self, folder: Path, settings: Settings) -> None:
        self.model, self.revision = identify(settings)
        self._batch_size = settings.max_batch_size
        self._tokenizer = load(AutoTokenizer, folder)
        self._network = load_network(AutoModelForMaskedLM, folder, settings)
        self._longest = longest_input(self._tokenizer, self._network)
        if self._tokenizer.mask_token_id is None:
            raise ModelUnavailable(f"{settings.model} has no mask token: it cannot fill masks")

    @property
    def mask(self) -> str:
        """What to write where a word is missing."""
        return str(self._tokenizer.mask_token)

    def predict(self, inputs: Sequence[str], parameters: Parameters) -> list[list[Fill]]:
        """Words for the mask of each text, best first. Raises InvalidInput unless a text has one mask and fits."""
        mask = self._tokenizer.mask_token_id
        encoded: list[list[int]] = self._tokenizer(list(inputs), verbose=False)["input_ids"]
        for ids in encoded:
            if ids.count(mask) != 1:
                raise InvalidInput(f"a text has {ids.count(mask)} masks: write {self.mask} once")
            if len(ids) > self._longest:
                raise InvalidInput(f"a text has {len(ids)} tokens and the model takes {self._longest}: shorten it")
        targets = self._targets(parameters.targets)
        return in_batches(encoded, len, self._batch_size, lambda batch: self._fill(batch, parameters.top_k, targets))

    def _targets(self, words: list[str] | None) -> list[int] | None:
        if words is None:
            return None
        ids = [self._tokenizer.convert_tokens_to_ids(word) for word in words]
        unknown = [word for word, each in zip(words, ids, strict=True) if each in (None, self._tokenizer.unk_token_id)]
        if unknown:
            raise InvalidInput(f"targets: {', '.join(unknown)} is not in the model's vocabulary")
        return ids

    def _fill(self, batch: list[list[int]], top_k: int, targets: list[int] | None) -> list[list[Fill]]:
        features = self._tokenizer.pad({"input_ids": batch}, return_tensors="pt").to(self._network.device)
        positions = (features["input_ids"] == self._tokenizer.mask_token_id).nonzero(as_tuple=True)
        scores = self._network(**features).logits[positions].softmax(dim=-1)
        if targets is not None:
            scores = torch.where(torch.isin(torch.arange(scores.shape[1]), torch.tensor(targets)), scores.cpu(), -1)
        best = scores.topk(min(top_k, len(set(targets)) if targets else scores.shape[1]), dim=1)
        return [
            [self._word(ids, token, score) for token, score in zip(tokens, values, strict=True)]
            for ids, tokens, values in zip(batch, best.indices.tolist(), best.values.tolist(), strict=True)
        ]

    def _word(self, ids: list[int], token: int, score: float) -> Fill:
        filled = [token if each == self._tokenizer.mask_token_id else each for each in ids]
        return Fill(
            score=score,
            token=token,
            token_str=self._tokenizer.decode([token]),
            sequence=self._tokenizer.decode(filled, skip_special_tokens=True),
        )
