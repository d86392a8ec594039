"""Text classification with ONNX Runtime."""

from collections.abc import Sequence

from .batches import Budget, Item
from .exported import ExportedPredictor
from .labels import best_labels
from .onnx_tokenizer import OnnxTokenizer
from .settings import Settings
from .task import Label, Parameters


class OnnxPredictor(ExportedPredictor):
    """Texts to labels. Loads what `export` made; raises ModelUnavailable."""

    def __init__(self, settings: Settings) -> None:
        super().__init__(settings)
        self.budget = Budget(settings.max_batch_size, settings.max_batch_tokens, settings.max_padding)
        self._tokenizer = OnnxTokenizer(self._exported)
        self._labels: list[str] = self._exported.facts["labels"]
        self._several: bool = self._exported.facts["several"]

    def prepare(self, inputs: Sequence[str], parameters: Parameters) -> list[Item]:
        """The ids of each text. Raises InvalidInput for a text that is too long."""
        return [Item(ids, parameters, len(ids)) for ids in self._tokenizer.encode(inputs, parameters.truncate)]

    def compute(self, batch: Sequence[Item]) -> list[list[Label]]:
        """Labels for each text, best first."""
        logits = self._run(**self._tokenizer.pad([item.value for item in batch]))
        chosen = [item.parameters for item in batch]
        return [
            best_labels(each, self._labels, parameters.function_to_apply, self._several, parameters.top_k)
            for each, parameters in zip(logits, chosen, strict=True)
        ]
