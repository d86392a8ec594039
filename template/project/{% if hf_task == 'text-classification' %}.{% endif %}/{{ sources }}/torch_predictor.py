"""Text classification with torch."""

from collections.abc import Sequence
from pathlib import Path

from transformers import AutoModelForSequenceClassification, AutoTokenizer

from .settings import Settings
from .task import Label, Parameters
from .torch_model import in_batches, load, load_network, longest_input, refuse_longer, scores_of
from .weights import identify


class TorchPredictor:
    """Texts to labels. Loads from a folder; raises ModelUnavailable."""

    def __init__(self, folder: Path, settings: Settings) -> None:
        self.model, self.revision = identify(settings)
        self._batch_size = settings.max_batch_size
        self._tokenizer = load(AutoTokenizer, folder)
        self._network = load_network(AutoModelForSequenceClassification, folder, settings)
        self._longest = longest_input(self._tokenizer, self._network)

    def predict(self, inputs: Sequence[str], parameters: Parameters) -> list[list[Label]]:
        """Labels for each text, best first. Raises InvalidInput for a text that is too long."""
        encoded: list[list[int]] = self._tokenizer(
            list(inputs), truncation=parameters.truncate, max_length=self._longest, verbose=False
        )["input_ids"]
        refuse_longer(encoded, self._longest)
        return in_batches(encoded, len, self._batch_size, lambda batch: self._classify(batch, parameters))

    def _classify(self, batch: list[list[int]], parameters: Parameters) -> list[list[Label]]:
        features = self._tokenizer.pad({"input_ids": batch}, return_tensors="pt").to(self._network.device)
        config = self._network.config
        several = config.problem_type == "multi_label_classification" or config.num_labels == 1
        scores = scores_of(self._network(**features).logits, parameters.function_to_apply, several)
        best = scores.topk(min(parameters.top_k or config.num_labels, config.num_labels), dim=1)
        return [
            [Label(label=config.id2label[index], score=score) for index, score in zip(indices, values, strict=True)]
            for indices, values in zip(best.indices.tolist(), best.values.tolist(), strict=True)
        ]
