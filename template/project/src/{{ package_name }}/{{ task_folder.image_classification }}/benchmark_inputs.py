"""Example inputs: images of mixed size."""

import base64
import io
import random

from PIL import Image


def make_inputs(count: int, shortest: int = 64, longest: int = 1024, seed: int = 0) -> list[str]:
    """Return JPEG files in base64 with sides from `shortest` to `longest` pixels; the same for each seed."""
    draw = random.Random(seed)  # noqa: S311 - not for security
    return [_image(draw, draw.randint(shortest, longest), draw.randint(shortest, longest)) for _ in range(count)]


def _image(draw: random.Random, width: int, height: int) -> str:
    stream = io.BytesIO()
    Image.frombytes("RGB", (8, 8), draw.randbytes(8 * 8 * 3)).resize((width, height)).save(stream, "JPEG")
    return base64.b64encode(stream.getvalue()).decode()
