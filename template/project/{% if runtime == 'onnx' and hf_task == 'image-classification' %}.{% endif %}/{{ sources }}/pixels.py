"""From an image to the numbers that a model takes, as transformers' image processors do it with Pillow."""

from dataclasses import dataclass

import numpy as np
from PIL import Image


@dataclass(frozen=True)
class Pixels:
    """Resizes, crops and normalises. What is None is left out."""

    size: tuple[int, int] | None = None
    """Height and width to resize to."""
    shortest_edge: int | None = None
    """Length that the shorter side is resized to, the longer one in proportion."""
    resample: int = Image.Resampling.BILINEAR
    crop: tuple[int, int] | None = None
    """Height and width of the middle that is kept."""
    scale: float | None = None
    """What every value, 0 to 255, is multiplied by."""
    mean: tuple[float, float, float] | None = None
    """Of each channel: taken off, before `std` divides."""
    std: tuple[float, float, float] | None = None

    def of(self, image: Image.Image) -> np.ndarray:
        """The pixels of an image in RGB: (3, height, width), 32-bit floats."""
        values = np.asarray(self._crop(self._resize(image)), np.float32)
        if self.scale is not None:
            values = values * np.float32(self.scale)
        if self.mean is not None and self.std is not None:
            values = (values - np.array(self.mean, np.float32)) / np.array(self.std, np.float32)
        return np.ascontiguousarray(values.transpose(2, 0, 1))

    def _resize(self, image: Image.Image) -> Image.Image:
        if self.size:
            height, width = self.size
        elif self.shortest_edge:
            short, long = sorted(image.size)
            other = int(self.shortest_edge * long / short)
            upright = image.width <= image.height
            width, height = (self.shortest_edge, other) if upright else (other, self.shortest_edge)
        else:
            return image
        return image.resize((width, height), self.resample)

    def _crop(self, image: Image.Image) -> Image.Image:
        if not self.crop:
            return image
        height, width = self.crop
        top, left = (image.height - height) // 2, (image.width - width) // 2
        return image.crop((left, top, left + width, top + height))
