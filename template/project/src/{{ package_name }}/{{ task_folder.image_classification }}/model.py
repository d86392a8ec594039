"""Image classification."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Self

import numpy as np

from ..backends.base import Backend, BackendModel, ModelFiles
from ..base_settings import ServiceSettings
from ..errors import InvalidInputError
from ..inference.batching import BatchLimits, Item
from .images import DEFAULT_LIMITS, ImageLimits, ImageProcessor, count_pixels, open_image, read_file
from .labels import best_labels
from .schemas import ImageClassificationParameters, Output

SMALL_INPUTS = 4
"""Maximum number of images of a request that is prepared at once; others wait for larger ones."""

SMALL_BYTES = 500_000
"""Maximum size of all files of such a request. Reading a header takes up to 50 ms for 500 KB."""

SMALL_PIXELS = 2_000_000
"""Maximum number of pixels of all images of such a request. Preparing them takes 10 to 30 ms."""


class ImageClassificationModel(BackendModel[bytes, Any, Any]):
    """Images to labels with scores."""

    image_limits: ImageLimits = DEFAULT_LIMITS
    """Limits on each image."""
    max_request_pixels: int | None = None
    """Maximum number of pixels of all images of a request; None is unlimited."""

    def __init__(self, files: ModelFiles, backend: Backend, limits: BatchLimits) -> None:
        super().__init__(files, backend, limits)
        self.processor: ImageProcessor = files.preprocessor
        self.labels: list[str] = files.facts["labels"]
        self.function: str = files.facts["function"]
        """How logits become scores, unless the parameters say otherwise."""

    @classmethod
    def load(cls, files: ModelFiles, backend: Backend, settings: ServiceSettings) -> Self:
        """Return the model, ready to predict."""
        model = cls(files, backend, BatchLimits(settings.max_batch_size))
        model.image_limits = ImageLimits(settings.max_image_side, settings.max_image_pixels)
        model.max_request_pixels = settings.max_request_pixels
        return model

    @staticmethod
    def parse_text(text: str) -> bytes:
        """Return the content of the image file that a line of text, a cell or an argument names.

        Raises:
            InvalidInputError: The file cannot be read.
        """
        try:
            return read_file(Path(text))
        except InvalidInputError as error:
            raise InvalidInputError(f"{text!r}: {error}") from None
        except (OSError, ValueError) as error:
            raise InvalidInputError(f"{text!r}: {getattr(error, 'strerror', None) or error}") from None

    def check_request(self, inputs: Sequence[bytes], parameters: ImageClassificationParameters) -> None:
        """Compare the headers of all images with the limits.

        Raises:
            InvalidInputError: A file is no image or too large, or all together have too many pixels.
        """
        pixels = sum(count_pixels(data, self.image_limits) for data in inputs)
        if self.max_request_pixels is not None and pixels > self.max_request_pixels:
            limit = f"at most {self.max_request_pixels:,} are read from a request"
            raise InvalidInputError(f"{len(inputs)} images have {pixels:,} pixels; {limit}")

    def is_large(self, inputs: Sequence[bytes]) -> bool:
        """Return whether the images take long to decode.

        Raises:
            InvalidInputError: A file is no image or too large.
        """
        if len(inputs) > SMALL_INPUTS or sum(map(len, inputs)) > SMALL_BYTES:
            return True
        return sum(count_pixels(data, self.image_limits) for data in inputs) > SMALL_PIXELS

    def preprocess(self, inputs: Sequence[bytes], parameters: ImageClassificationParameters) -> list[Item]:
        """Return the pixels of each image file.

        Raises:
            InvalidInputError: A file is no image.
        """
        # One image at a time is decoded: small files can hold large ones.
        pixels = (self.processor.to_pixels(open_image(data, self.image_limits)) for data in inputs)
        return [Item(each, parameters, group=each.shape) for each in pixels]  # some processors keep proportions

    def collate(self, items: Sequence[Item]) -> dict[str, np.ndarray]:
        """Return the pixels of all images: (batch, 3, height, width)."""
        return {"pixel_values": np.stack([item.value for item in items])}

    def postprocess(self, outputs: Mapping[str, np.ndarray], items: Sequence[Item]) -> list[Output]:
        """Return the labels of each image, best first."""
        return [
            best_labels(logits, self.labels, item.parameters.function_to_apply or self.function, item.parameters.top_k)
            for logits, item in zip(outputs["logits"], items, strict=True)
        ]
