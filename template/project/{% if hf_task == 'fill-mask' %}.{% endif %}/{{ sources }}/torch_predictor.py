"""Fill-mask with torch."""

from collections.abc import Sequence
from pathlib import Path

import torch
from transformers import AutoModelForMaskedLM, AutoTokenizer

from .batches import Budget, Item
from .predictor import InvalidInput, ModelUnavailable, Predictor
from .settings import Settings
from .task import Fill, Parameters
from .text_length import refuse_longer
from .torch_cores import TorchCores
from .torch_model import load, load_network, longest_input
from .weights import identify


class TorchPredictor(Predictor):
    """Texts with a mask to words for it. Loads from a folder; raises ModelUnavailable."""

    def __init__(self, folder: Path, settings: Settings) -> None:
        self.model, self.revision = identify(settings)
        self.budget = Budget(settings.max_batch_size, settings.max_batch_tokens, settings.max_padding)
        self.tokenizer = load(AutoTokenizer, folder)
        self.network = load_network(AutoModelForMaskedLM, folder, settings)
        self._cores = TorchCores(self.network.device, settings.streams)
        self.streams = self._cores.streams
        self.longest = longest_input(self.tokenizer, self.network)
        if self.tokenizer.mask_token_id is None:
            raise ModelUnavailable(f"{settings.model} has no mask token: it cannot fill masks")

    @property
    def mask(self) -> str:
        """What to write where a word is missing."""
        return str(self.tokenizer.mask_token)

    def prepare(self, inputs: Sequence[str], parameters: Parameters) -> list[Item]:
        """The ids of each text. Raises InvalidInput unless a text has one mask and fits."""
        mask = self.tokenizer.mask_token_id
        self._targets(parameters.targets)
        encoded: list[list[int]] = self.tokenizer(list(inputs), verbose=False)["input_ids"]
        for ids in encoded:
            if ids.count(mask) != 1:
                raise InvalidInput(f"a text has {ids.count(mask)} masks: write {self.mask} once")
        refuse_longer(encoded, self.longest, may_be_cut=False)
        return [Item(ids, parameters, len(ids)) for ids in encoded]

    @torch.inference_mode()
    def compute(self, batch: Sequence[Item]) -> list[list[Fill]]:
        """Words for the mask of each text, best first."""
        ids = [item.value for item in batch]
        features = self.tokenizer.pad({"input_ids": ids}, return_tensors="pt").to(self.network.device)
        positions = (features["input_ids"] == self.tokenizer.mask_token_id).nonzero(as_tuple=True)
        with self._cores.shared():
            scores = self.network(**features).logits[positions].softmax(dim=-1).float().cpu()
        return [self._fills(each, item) for each, item in zip(scores, batch, strict=True)]

    def _fills(self, scores: torch.Tensor, item: Item) -> list[Fill]:
        targets = self._targets(item.parameters.targets)
        best = scores if targets is None else scores[targets]
        values, indices = best.topk(min(item.parameters.top_k, len(best)))
        tokens = indices.tolist() if targets is None else [targets[index] for index in indices.tolist()]
        return [self._word(item.value, token, score) for token, score in zip(tokens, values.tolist(), strict=True)]

    def _targets(self, words: list[str] | None) -> list[int] | None:
        if words is None:
            return None
        ids = [self.tokenizer.convert_tokens_to_ids(word) for word in words]
        unknown = [word for word, each in zip(words, ids, strict=True) if each in (None, self.tokenizer.unk_token_id)]
        if unknown:
            raise InvalidInput(f"targets: {', '.join(unknown)} is not in the model's vocabulary")
        return sorted(set(ids))

    def _word(self, ids: list[int], token: int, score: float) -> Fill:
        filled = [token if each == self.tokenizer.mask_token_id else each for each in ids]
        return Fill(
            score=score,
            token=token,
            token_str=self.tokenizer.decode([token]),
            sequence=self.tokenizer.decode(filled, skip_special_tokens=True),
        )
