"""Image classification."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Self

import numpy as np

from ..backends.base import Backend, BackendModel, ModelFiles
from ..base_settings import ServiceSettings
from ..errors import InvalidInputError
from ..inference.batching import BatchLimits, Item
from .images import ImageProcessor, open_image
from .labels import best_labels
from .schemas import ImageClassificationParameters, Output


class ImageClassificationModel(BackendModel[bytes, Any, Any]):
    """Images to labels with scores."""

    def __init__(self, files: ModelFiles, backend: Backend, limits: BatchLimits) -> None:
        super().__init__(files, backend, limits)
        self.processor: ImageProcessor = files.preprocessor
        self.labels: list[str] = files.facts["labels"]
        self.function: str = files.facts["function"]
        """How logits become scores, unless the parameters say otherwise."""

    @classmethod
    def load(cls, files: ModelFiles, backend: Backend, settings: ServiceSettings) -> Self:
        """Return the model, ready to predict."""
        return cls(files, backend, BatchLimits(settings.max_batch_size))

    @staticmethod
    def parse_text(text: str) -> bytes:
        """Return the content of the image file that a line of text, a cell or an argument names.

        Raises:
            InvalidInputError: The file cannot be read.
        """
        try:
            return Path(text).read_bytes()
        except (OSError, ValueError) as error:
            raise InvalidInputError(f"{text!r}: {getattr(error, 'strerror', None) or error}") from None

    def preprocess(self, inputs: Sequence[bytes], parameters: ImageClassificationParameters) -> list[Item]:
        """Return the pixels of each image file.

        Raises:
            InvalidInputError: A file is no image.
        """
        # One image at a time is decoded: small files can hold large ones.
        return [Item(self.processor.to_pixels(open_image(data)), parameters) for data in inputs]

    def collate(self, items: Sequence[Item]) -> dict[str, np.ndarray]:
        """Return the pixels of all images: (batch, 3, height, width)."""
        return {"pixel_values": np.stack([item.value for item in items])}

    def postprocess(self, outputs: Mapping[str, np.ndarray], items: Sequence[Item]) -> list[Output]:
        """Return the labels of each image, best first."""
        return [
            best_labels(logits, self.labels, item.parameters.function_to_apply or self.function, item.parameters.top_k)
            for logits, item in zip(outputs["logits"], items, strict=True)
        ]
