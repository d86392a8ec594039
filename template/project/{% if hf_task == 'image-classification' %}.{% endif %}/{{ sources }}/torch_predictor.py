"""Image classification with torch."""

import io
from collections.abc import Sequence
from pathlib import Path

import torch
from PIL import Image, ImageOps
from transformers import AutoImageProcessor, AutoModelForImageClassification

from .predictor import InvalidInput
from .settings import Settings
from .task import Label, Parameters
from .torch_model import in_batches, load, load_network, scores_of
from .weights import identify

FORMATS = ("PNG", "JPEG", "WEBP", "GIF", "BMP", "TIFF")
"""What is read; Pillow knows more, some of them by calling other programs."""

MAX_PIXELS = 50_000_000
"""A small file can hold a huge image; one of more pixels is refused before it is unpacked."""


class TorchPredictor:
    """Images to labels. Loads from a folder; raises ModelUnavailable."""

    def __init__(self, folder: Path, settings: Settings) -> None:
        self.model, self.revision = identify(settings)
        self._batch_size = settings.max_batch_size
        self._processor = load(AutoImageProcessor, folder, backend="pil")
        self._network = load_network(AutoModelForImageClassification, folder, settings)

    def predict(self, inputs: Sequence[bytes], parameters: Parameters) -> list[list[Label]]:
        """Labels for each image file, best first. Raises InvalidInput for a file that is no image."""
        return in_batches(inputs, len, self._batch_size, lambda batch: self._classify(batch, parameters))

    def _classify(self, batch: list[bytes], parameters: Parameters) -> list[list[Label]]:
        # One image at a time is unpacked: small files can hold large ones.
        pixels = [self._processor(images=_open(data), return_tensors="pt")["pixel_values"] for data in batch]
        config = self._network.config
        several = config.problem_type == "multi_label_classification" or config.num_labels == 1
        logits = self._network(pixel_values=torch.cat(pixels).to(self._network.device)).logits
        scores = scores_of(logits, parameters.function_to_apply, several)
        best = scores.topk(min(parameters.top_k, config.num_labels), dim=1)
        return [
            [Label(label=config.id2label[index], score=score) for index, score in zip(indices, values, strict=True)]
            for indices, values in zip(best.indices.tolist(), best.values.tolist(), strict=True)
        ]


def _open(data: bytes) -> Image.Image:
    try:
        image = Image.open(io.BytesIO(data), formats=FORMATS)
    except Exception:  # broken files make Pillow raise nearly anything
        raise InvalidInput(f"an input is not an image of a known format: {', '.join(FORMATS)}") from None
    if image.width * image.height > MAX_PIXELS:
        raise InvalidInput(f"an image has {image.width} x {image.height} pixels; at most {MAX_PIXELS:,} are read")
    try:
        return ImageOps.exif_transpose(image).convert("RGB")
    except Exception:  # the same
        raise InvalidInput("an input is a broken image") from None
