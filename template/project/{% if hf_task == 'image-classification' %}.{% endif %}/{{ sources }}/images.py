"""Opens the files that clients send."""

import io

from PIL import Image, ImageOps

from .predictor import InvalidInput

FORMATS = ("PNG", "JPEG", "WEBP", "GIF", "BMP", "TIFF")
"""What is read; Pillow knows more, some of them by calling other programs."""

MAX_PIXELS = 50_000_000
"""A small file can hold a huge image; one of more pixels is refused before it is unpacked."""


def open_image(data: bytes) -> Image.Image:
    """The image in a file, in RGB and the right way up. Raises InvalidInput."""
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
