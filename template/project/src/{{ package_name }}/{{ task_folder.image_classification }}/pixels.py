"""Turn images into arrays with Pillow, as transformers' image processors do."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

import numpy as np
from PIL import Image


@dataclass(frozen=True)
class Pixels:
    """Resizes, crops and normalises an image. Steps that are None are skipped."""

    size: tuple[int, int] | None = None
    """Height and width to resize to."""
    shortest_edge: int | None = None
    """Length of the shorter side to resize to; the longer one follows in proportion."""
    resample: int = Image.Resampling.BILINEAR
    crop: tuple[int, int] | None = None
    """Height and width of the centre to keep."""
    reverse_channels: bool = False
    """Whether the channels become blue, green and red."""
    scale: float | None = None
    """Factor for every value, 0 to 255."""
    mean: tuple[float, float, float] | None = None
    """Mean of each channel, subtracted before the division by `std`."""
    std: tuple[float, float, float] | None = None

    @classmethod
    def open(cls, folder: Path, facts: dict[str, Any]) -> Self:
        """Return the image processor of the export in a folder, with its facts."""
        return cls(**facts["pixels"])

    def to_pixels(self, image: Image.Image) -> np.ndarray:
        """Return the pixels of an RGB image: (3, height, width), 32-bit floats."""
        values = np.asarray(self._crop(self._resize(image)), np.float32)
        if self.reverse_channels:
            values = values[..., ::-1]
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
