"""How the export of an image classifier is made and compared with torch."""

import io

import numpy as np
from PIL import Image, ImageFilter

from ..backends.onnx_export import ExportSpec
from ..backends.torch import TaskGraph
from ..errors import ModelUnavailableError
from .graph import ImageClassificationGraph
from .images import open_image
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


IMAGES = [clouds(seed, size) for seed, size in enumerate(SIZES)]

PIXEL_TOLERANCE = 1e-3
"""Maximum difference of a number in the pixels of the export from those of transformers."""


def check_pixels(graph: TaskGraph) -> None:
    """Compare the pixels of an export with those of transformers: a network may hide a difference for some images.

    Raises:
        ModelUnavailableError: They differ.
    """
    exported = Pixels(**graph.facts["pixels"])
    for data in IMAGES:
        found, wanted = exported.to_pixels(open_image(data)), graph.preprocessor.to_pixels(open_image(data))
        if found.shape != wanted.shape or np.abs(found - wanted).max() > PIXEL_TOLERANCE:
            kind = type(graph.preprocessor.processor).__name__
            raise ModelUnavailableError(f"the model's {kind} has options that cannot be exported: keep runtime torch")


SPEC = ExportSpec(
    graph=ImageClassificationGraph,
    model=ImageClassificationModel,
    parameters=ImageClassificationParameters(top_k=1_000_000),
    samples=lambda graph: IMAGES,
    save_preprocessor=lambda graph, folder: check_pixels(graph),  # all of it is among the facts
    open_preprocessor=Pixels.open,
    difference=difference,
    agreement=agreement,
)
