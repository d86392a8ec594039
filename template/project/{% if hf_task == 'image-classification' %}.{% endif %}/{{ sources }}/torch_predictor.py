"""Image classification with torch."""

from collections.abc import Sequence
from pathlib import Path

import torch
from transformers import AutoImageProcessor, AutoModelForImageClassification

from .batches import Budget, Item
from .images import open_image
from .predictor import Predictor
from .settings import Settings
from .task import Label, Parameters
from .torch_cores import TorchCores
from .torch_model import load, load_network, scores_of
from .weights import identify


class TorchPredictor(Predictor):
    """Images to labels. Loads from a folder; raises ModelUnavailable."""

    def __init__(self, folder: Path, settings: Settings) -> None:
        self.model, self.revision = identify(settings)
        self.budget = Budget(settings.max_batch_size)
        self.processor = load(AutoImageProcessor, folder, backend="pil")
        self.network = load_network(AutoModelForImageClassification, folder, settings)
        self._cores = TorchCores(self.network.device, settings.streams)
        self.streams = self._cores.streams

    def prepare(self, inputs: Sequence[bytes], parameters: Parameters) -> list[Item]:
        """The pixels of each image file. Raises InvalidInput for a file that is no image."""
        # One image at a time is unpacked: small files can hold large ones.
        pixels = [self.processor(images=open_image(data), return_tensors="pt")["pixel_values"] for data in inputs]
        return [Item(each, parameters) for each in pixels]

    @torch.inference_mode()
    def compute(self, batch: Sequence[Item]) -> list[list[Label]]:
        """Labels for each image, best first."""
        pixels = torch.cat([item.value for item in batch]).to(self.network.device)
        with self._cores.shared():
            logits = self.network(pixel_values=pixels).logits.float().cpu()
        return [self._labels(each, item.parameters) for each, item in zip(logits, batch, strict=True)]

    def _labels(self, logits: torch.Tensor, parameters: Parameters) -> list[Label]:
        config = self.network.config
        several = config.problem_type == "multi_label_classification" or config.num_labels == 1
        scores = scores_of(logits, parameters.function_to_apply, several)
        best = scores.topk(min(parameters.top_k, config.num_labels))
        return [
            Label(label=config.id2label[index], score=score)
            for index, score in zip(best.indices.tolist(), best.values.tolist(), strict=True)
        ]
