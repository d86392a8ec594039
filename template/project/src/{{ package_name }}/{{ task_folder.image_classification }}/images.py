"""Open the image files that clients send."""

import io
from typing import Protocol

import numpy as np
from PIL import Image, ImageOps

from ..errors import InvalidInputError

FORMATS = ("PNG", "JPEG", "WEBP", "GIF", "BMP", "TIFF")
"""Formats that are read. Pillow reads more, some of them by running other programs."""

MAX_PIXELS = 50_000_000
"""A small file can hold a huge image: one with more pixels is refused before it is decoded."""


class ImageProcessor(Protocol):
    """Turns an image into the numbers that a model takes."""

    def to_pixels(self, image: Image.Image) -> np.ndarray:
        """Return the pixels of an RGB image: (3, height, width), 32-bit floats."""


def open_image(data: bytes) -> Image.Image:
    """Return the image in a file, in RGB and upright.

    Raises:
        InvalidInputError: The file is no image, is broken, or holds too many pixels.
    """
    try:
        image = Image.open(io.BytesIO(data), formats=FORMATS)
    except Exception:  # broken files make Pillow raise nearly anything
        raise InvalidInputError(f"an input is not an image of a known format: {', '.join(FORMATS)}") from None
    if image.width * image.height > MAX_PIXELS:
        raise InvalidInputError(f"an image has {image.width} x {image.height} pixels; at most {MAX_PIXELS:,} are read")
    try:
        return ImageOps.exif_transpose(image).convert("RGB")
    except Exception:  # the same
        raise InvalidInputError("an input is a broken image") from None
