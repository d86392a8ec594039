"""Image classification with torch."""

import io
from collections.abc import Sequence
from pathlib import Path

from PIL import Image, ImageOps, UnidentifiedImageError
from transformers import AutoImageProcessor, AutoModelForImageClassification

from .predictor import InvalidInput
from .settings import Settings
from .task import Label, Parameters
from .torch_model import in_batches, load, load_network, scores_of

UNREADABLE = (UnidentifiedImageError, OSError, SyntaxError, ValueError, Image.DecompressionBombError)
"""What Pillow raises for a file that is no image, or a broken one."""

MAX_PIXELS = 50_000_000
"""A small file can hold a huge image; one of more pixels is refused before it is unpacked."""


class TorchPredictor:
    """Images to labels. Loads from a folder; raises ModelUnavailable."""

    def __init__(self, folder: Path, settings: Settings) -> None:
        self.model = settings.model
        self.revision = settings.revision
        self._batch_size = settings.max_batch_size
        self._processor = load(AutoImageProcessor, folder, backend="pil")
        self._network = load_network(AutoModelForImageClassification, folder, settings)

    def predict(self, inputs: Sequence[bytes], parameters: Parameters) -> list[list[Label]]:
        """Labels for each image file, best first. Raises InvalidInput for a file that is no image."""
        return in_batches(inputs, len, self._batch_size, lambda batch: self._classify(batch, parameters))

    def _classify(self, batch: list[bytes], parameters: Parameters) -> list[list[Label]]:
        features = self._processor(images=[_open(data) for data in batch], return_tensors="pt")
        config = self._network.config
        several = config.problem_type == "multi_label_classification" or config.num_labels == 1
        logits = self._network(**features.to(self._network.device)).logits
        scores = scores_of(logits, parameters.function_to_apply, several)
        best = scores.topk(min(parameters.top_k, config.num_labels), dim=1)
        return [
            [Label(label=config.id2label[index], score=score) for index, score in zip(indices, values, strict=True)]
            for indices, values in zip(best.indices.tolist(), best.values.tolist(), strict=True)
        ]


def _open(data: bytes) -> Image.Image:
    try:
        image = Image.open(io.BytesIO(data))
    except UNREADABLE:
        raise InvalidInput("an input is not an image") from None
    if image.width * image.height > MAX_PIXELS:
        raise InvalidInput(f"an image has {image.width} x {image.height} pixels; at most {MAX_PIXELS:,} are read")
    try:
        return ImageOps.exif_transpose(image).convert("RGB")
    except UNREADABLE:
        raise InvalidInput("an input is a broken image") from None
