"""Text classification with torch."""

from collections.abc import Sequence
from pathlib import Path

import torch
from transformers import AutoModelForSequenceClassification, AutoTokenizer

from .batches import Budget, Item
from .predictor import Predictor
from .settings import Settings
from .task import Label, Parameters
from .text_length import refuse_longer
from .torch_cores import TorchCores
from .torch_model import load, load_network, longest_input, scores_of
from .weights import identify


class TorchPredictor(Predictor):
    """Texts to labels. Loads from a folder; raises ModelUnavailable."""

    def __init__(self, folder: Path, settings: Settings) -> None:
        self.model, self.revision = identify(settings)
        self.budget = Budget(settings.max_batch_size, settings.max_batch_tokens, settings.max_padding)
        self.tokenizer = load(AutoTokenizer, folder)
        self.network = load_network(AutoModelForSequenceClassification, folder, settings)
        self._cores = TorchCores(self.network.device, settings.streams)
        self.streams = self._cores.streams
        self.longest = longest_input(self.tokenizer, self.network)

    def prepare(self, inputs: Sequence[str], parameters: Parameters) -> list[Item]:
        """The ids of each text. Raises InvalidInput for a text that is too long."""
        encoded: list[list[int]] = self.tokenizer(
            list(inputs), truncation=parameters.truncate, max_length=self.longest, verbose=False
        )["input_ids"]
        refuse_longer(encoded, self.longest)
        return [Item(ids, parameters, len(ids)) for ids in encoded]

    @torch.inference_mode()
    def compute(self, batch: Sequence[Item]) -> list[list[Label]]:
        """Labels for each text, best first."""
        ids = [item.value for item in batch]
        features = self.tokenizer.pad({"input_ids": ids}, return_tensors="pt").to(self.network.device)
        with self._cores.shared():
            logits = self.network(**features).logits.float().cpu()
        return [self._labels(each, item.parameters) for each, item in zip(logits, batch, strict=True)]

    def _labels(self, logits: torch.Tensor, parameters: Parameters) -> list[Label]:
        config = self.network.config
        several = config.problem_type == "multi_label_classification" or config.num_labels == 1
        scores = scores_of(logits, parameters.function_to_apply, several)
        best = scores.topk(min(parameters.top_k or config.num_labels, config.num_labels))
        return [
            Label(label=config.id2label[index], score=score)
            for index, score in zip(best.indices.tolist(), best.values.tolist(), strict=True)
        ]
