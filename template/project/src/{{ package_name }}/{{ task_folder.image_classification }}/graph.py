"""Image classification in torch."""

import inspect
from pathlib import Path
from typing import Any, Self

import numpy as np
import torch
from PIL import Image
from transformers import AutoImageProcessor, AutoModelForImageClassification

from ..backends.torch import TaskGraph, load_network, load_pretrained
from ..errors import ModelUnavailableError
from .labels import label_facts

PIXELS = "pixel_values"
"""Input of a network that reads the pixels of images."""

LARGE_EDGE = 384
"""Length of a side from which on a ConvNeXT image processor cuts nothing off, in pixels."""


class TransformersImageProcessor:
    """An image processor of transformers."""

    def __init__(self, processor: Any) -> None:
        self.processor = processor

    def to_pixels(self, image: Image.Image) -> np.ndarray:
        """Return the pixels of an RGB image: (3, height, width), 32-bit floats."""
        pixels: np.ndarray = self.processor(images=image, return_tensors="pt")[PIXELS][0].float().numpy()
        return pixels


class ImageClassificationGraph(TaskGraph):
    """From pixels (batch, 3, height, width) to logits (batch, labels)."""

    output_names = ("logits",)

    @classmethod
    def load(cls, folder: Path, device: torch.device) -> Self:
        """Return the graph of the model in a folder, on a device.

        Raises:
            ModelUnavailableError: The files cannot be loaded, or the network reads more than pixels.
        """
        processor = load_pretrained(AutoImageProcessor, folder, backend="pil")
        network = load_network(AutoModelForImageClassification, folder, device)
        if others := _further_inputs(processor, network):
            raise ModelUnavailableError(f"{folder} reads {', '.join(others)}, which is not supported: only {PIXELS} is")
        return cls(
            network, TransformersImageProcessor(processor), _pixel_facts(processor) | label_facts(network.config)
        )

    @property
    def dynamic_axes(self) -> dict[str, tuple[int]]:
        """Axes of each input that may have any size: the batch."""
        return {PIXELS: (0,)}

    def forward(self, batch: dict[str, torch.Tensor]) -> torch.Tensor:
        """Return the logits."""
        logits: torch.Tensor = self.network(**batch).logits
        return logits


def _further_inputs(processor: Any, network: Any) -> list[str]:
    """Return the inputs of the network that its image processor makes beside pixels.

    Raises:
        ModelUnavailableError: The image processor cannot process an image.
    """
    try:
        made = processor(images=Image.new("RGB", (64, 48)), return_tensors="pt")
    except Exception as error:  # image processors raise exceptions of any kind
        reason = (str(error).strip().splitlines() or ["no reason given"])[0]
        kind = type(processor).__name__
        raise ModelUnavailableError(f"the model's {kind} cannot process an image: {reason}") from error
    taken = inspect.signature(network.forward).parameters
    return [name for name in made if name != PIXELS and name in taken]


def _pixel_facts(processor: Any) -> dict[str, Any]:
    """Return what an export needs to process images as this processor does, as far as `Pixels` can."""

    def option(name: str) -> Any:
        return getattr(processor, name, None)

    size = dict(option("size") or {}) if option("do_resize") else {}
    crop = dict(option("crop_size") or {}) if option("do_center_crop") else {}
    square = (size["height"], size["width"]) if size.get("height") else None
    centre = (crop["height"], crop["width"]) if crop.get("height") else None
    edge = size.get("shortest_edge")
    if edge and (share := option("crop_pct")):
        if centre:  # PoolFormer
            edge = int(edge / share)
        elif edge < LARGE_EDGE:  # ConvNeXT, which ResNet uses, too
            edge, centre = int(edge / share), (edge, edge)
        else:
            square = (edge, edge)
    return {
        "pixels": {
            "size": square,
            "shortest_edge": edge,
            "resample": int(Image.Resampling.BILINEAR if option("resample") is None else option("resample")),
            "crop": centre,
            "reverse_channels": bool(option("do_flip_channel_order")),
            "scale": processor.rescale_factor if option("do_rescale") else None,
            "mean": list(processor.image_mean) if option("do_normalize") else None,
            "std": list(processor.image_std) if option("do_normalize") else None,
        }
    }
