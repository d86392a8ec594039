"""Open the image files that clients send."""

import io
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

import numpy as np
from PIL import Image, ImageOps, PngImagePlugin

from ..errors import InvalidInputError

FORMATS = ("PNG", "JPEG", "WEBP", "GIF", "BMP", "TIFF")
"""Formats that are read. Pillow reads more, some of them by running other programs."""

MAX_FILE_BYTES = 100_000_000
"""Maximum size of a file that is read from a disk."""

MAX_TEXT_BYTES = 2_000_000
"""Maximum size of the texts in a PNG file, unpacked. Pillow unpacks them with the header, some 300 bytes in 1 µs."""

vars(PngImagePlugin)["MAX_TEXT_MEMORY"] = MAX_TEXT_BYTES


@dataclass(frozen=True)
class ImageLimits:
    """Limits on an image, which its header is compared with: a small file can hold a huge image."""

    max_side: int = 16_384
    """Width and height, in pixels."""
    max_pixels: int = 16_000_000
    """Pixels; decoding one takes up to 14 bytes."""


DEFAULT_LIMITS = ImageLimits()


class ImageProcessor(Protocol):
    """Turns an image into the numbers that a model takes."""

    def to_pixels(self, image: Image.Image) -> np.ndarray:
        """Return the pixels of an RGB image: (3, height, width), 32-bit floats."""


def open_image(data: bytes, limits: ImageLimits = DEFAULT_LIMITS) -> Image.Image:
    """Return the image in a file, in RGB and upright; of an animation, the first frame.

    Raises:
        InvalidInputError: The file is no image, is broken, or exceeds the limits.
    """
    image = _open(data, limits)
    try:
        image.load()
        ImageOps.exif_transpose(image, in_place=True)
        return image if image.mode == "RGB" else image.convert("RGB")
    except Exception:  # broken files make Pillow raise nearly anything
        raise InvalidInputError("an input is a broken image") from None


def count_pixels(data: bytes, limits: ImageLimits = DEFAULT_LIMITS) -> int:
    """Return the number of pixels that the header of an image file names; nothing is decoded.

    Raises:
        InvalidInputError: The file is no image, or exceeds the limits.
    """
    with _open(data, limits) as image:
        return image.width * image.height


def read_file(path: Path) -> bytes:
    """Return the content of an image file.

    Raises:
        InvalidInputError: It is too large.
        OSError: It cannot be read.
    """
    with path.open("rb") as stream:
        content = stream.read(MAX_FILE_BYTES + 1)
    if len(content) > MAX_FILE_BYTES:
        raise InvalidInputError(f"larger than {MAX_FILE_BYTES:,} bytes")
    return content


def _open(data: bytes, limits: ImageLimits) -> Image.Image:
    """Read the header of an image file."""
    try:
        image: Image.Image = Image.open(io.BytesIO(data), formats=FORMATS)
    except Image.DecompressionBombError:
        raise InvalidInputError(f"an image has too many pixels; at most {limits.max_pixels:,} are read") from None
    except Exception as error:  # the same
        if "text chunks" in str(error):
            limit = f"at most {MAX_TEXT_BYTES:,} bytes are read"
            raise InvalidInputError(f"a PNG file has too much text; {limit}") from None
        raise InvalidInputError(f"an input is not an image of a known format: {', '.join(FORMATS)}") from None
    width, height = image.size
    if max(width, height) > limits.max_side:
        raise InvalidInputError(f"an image has {width} x {height} pixels; a side has at most {limits.max_side:,}")
    if width * height > limits.max_pixels:
        raise InvalidInputError(f"an image has {width} x {height} pixels; at most {limits.max_pixels:,} are read")
    return image
