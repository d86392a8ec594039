"""Image classification in torch."""

from pathlib import Path
from typing import Any, Self

import numpy as np
import torch
from PIL import Image
from transformers import AutoImageProcessor, AutoModelForImageClassification

from ..backends.torch import TaskGraph, load_network, load_pretrained
from .labels import label_facts


class TransformersImageProcessor:
    """An image processor of transformers."""

    def __init__(self, processor: Any) -> None:
        self.processor = processor

    def to_pixels(self, image: Image.Image) -> np.ndarray:
        """Return the pixels of an RGB image: (3, height, width), 32-bit floats."""
        pixels: np.ndarray = self.processor(images=image, return_tensors="np")["pixel_values"][0]
        return pixels


class ImageClassificationGraph(TaskGraph):
    """From pixels (batch, 3, height, width) to logits (batch, labels)."""

    output_names = ("logits",)

    @classmethod
    def load(cls, folder: Path, device: torch.device) -> Self:
        """Return the graph of the model in a folder, on a device.

        Raises:
            ModelUnavailableError: The files cannot be loaded.
        """
        processor = load_pretrained(AutoImageProcessor, folder, backend="pil")
        network = load_network(AutoModelForImageClassification, folder, device)
        return cls(
            network, TransformersImageProcessor(processor), _pixel_facts(processor) | label_facts(network.config)
        )

    @property
    def dynamic_axes(self) -> dict[str, tuple[int]]:
        """Axes of each input that may have any size: the batch."""
        return {"pixel_values": (0,)}

    def forward(self, batch: dict[str, torch.Tensor]) -> torch.Tensor:
        """Return the logits."""
        logits: torch.Tensor = self.network(**batch).logits
        return logits


def _pixel_facts(processor: Any) -> dict[str, Any]:
    """Return what an export needs to process images as this processor does."""
    size = dict(processor.size or {}) if processor.do_resize else {}
    crop = dict(processor.crop_size or {}) if getattr(processor, "do_center_crop", False) else {}
    return {
        "pixels": {
            "size": (size["height"], size["width"]) if "height" in size else None,
            "shortest_edge": size.get("shortest_edge"),
            "resample": int(processor.resample),
            "crop": (crop["height"], crop["width"]) if crop else None,
            "scale": processor.rescale_factor if processor.do_rescale else None,
            "mean": list(processor.image_mean) if processor.do_normalize else None,
            "std": list(processor.image_std) if processor.do_normalize else None,
        }
    }
