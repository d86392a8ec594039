"""How the export of an image classifier is made and compared with torch."""

import io

import numpy as np
from PIL import Image, ImageFilter

from ..backends.onnx_export import ExportSpec
from .graph import ImageClassificationGraph
from .labels import agreement, difference
from .model import ImageClassificationModel
from .pixels import Pixels
from .schemas import ImageClassificationParameters

SIZES = [(640, 480), (300, 400), (224, 224), (90, 500), (61, 47)]
"""Width and height of the images that are compared, in pixels."""


def clouds(seed: int, size: tuple[int, int]) -> bytes:
    """Return a PNG file of blurred random colours."""
    noise = np.random.default_rng(seed).integers(0, 256, (9, 12, 3), dtype=np.uint8)
    stream = io.BytesIO()
    Image.fromarray(noise).resize(size).filter(ImageFilter.GaussianBlur(3)).save(stream, "PNG")
    return stream.getvalue()


SPEC = ExportSpec(
    graph=ImageClassificationGraph,
    model=ImageClassificationModel,
    parameters=ImageClassificationParameters(top_k=1_000_000),
    samples=lambda graph: [clouds(seed, size) for seed, size in enumerate(SIZES)],
    save_preprocessor=lambda graph, folder: None,  # all of it is among the facts
    open_preprocessor=Pixels.open,
    difference=difference,
    agreement=agreement,
)
