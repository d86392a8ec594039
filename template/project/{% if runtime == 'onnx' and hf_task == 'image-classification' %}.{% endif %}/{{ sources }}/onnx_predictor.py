"""Image classification with ONNX Runtime."""

from collections.abc import Sequence

import numpy as np

from .batches import Budget, Item
from .exported import ExportedPredictor
from .images import open_image
from .labels import best_labels
from .pixels import Pixels
from .settings import Settings
from .task import Label, Parameters


class OnnxPredictor(ExportedPredictor):
    """Images to labels. Loads what `export` made; raises ModelUnavailable."""

    def __init__(self, settings: Settings) -> None:
        super().__init__(settings)
        self.budget = Budget(settings.max_batch_size)
        self._pixels = Pixels(**self._exported.facts["pixels"])
        self._labels: list[str] = self._exported.facts["labels"]
        self._several: bool = self._exported.facts["several"]

    def prepare(self, inputs: Sequence[bytes], parameters: Parameters) -> list[Item]:
        """The pixels of each image file. Raises InvalidInput for a file that is no image."""
        # One image at a time is unpacked: small files can hold large ones.
        return [Item(self._pixels.of(open_image(data)), parameters) for data in inputs]

    def compute(self, batch: Sequence[Item]) -> list[list[Label]]:
        """Labels for each image, best first."""
        logits = self._run(pixel_values=np.stack([item.value for item in batch]))
        chosen = [item.parameters for item in batch]
        return [
            best_labels(each, self._labels, parameters.function_to_apply, self._several, parameters.top_k)
            for each, parameters in zip(logits, chosen, strict=True)
        ]
