"""What is exported of the model, and how far it has to be as in torch."""

import io
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch
from PIL import Image, ImageFilter

from .batches import Item
from .labels import agreement as agreement
from .labels import difference as difference
from .task import Parameters
from .torch_predictor import TorchPredictor

DYNAMIC = {"pixel_values": {0: torch.export.Dim.DYNAMIC}}
"""Axes of the graph's inputs that are of any size."""

SIZES = [(640, 480), (300, 400), (224, 224), (90, 500), (61, 47)]
"""Width and height of the images on which the export is compared with torch."""

PARAMETERS = Parameters(top_k=1_000_000)
"""With which the export is compared with torch: all labels."""


class Graph(torch.nn.Module):
    """From pixels (batch, 3, height, width) to logits (batch, labels)."""

    def __init__(self, predictor: TorchPredictor) -> None:
        super().__init__()
        self.network = predictor.network

    def forward(self, pixel_values: torch.Tensor) -> torch.Tensor:
        """The logits."""
        return self.network(pixel_values=pixel_values).logits


def samples(predictor: TorchPredictor) -> list[bytes]:
    """Inputs on which the export is compared with torch: files of coloured clouds."""
    return [_clouds(seed, size) for seed, size in enumerate(SIZES)]


def _clouds(seed: int, size: tuple[int, int]) -> bytes:
    noise = torch.randint(0, 256, (3, 9, 12), generator=torch.Generator().manual_seed(seed), dtype=torch.uint8)
    image = Image.merge("RGB", [Image.fromarray(channel.numpy()) for channel in noise])
    stream = io.BytesIO()
    image.resize(size).filter(ImageFilter.GaussianBlur(3)).save(stream, "PNG")
    return stream.getvalue()


def features(predictor: TorchPredictor, items: Sequence[Item]) -> dict[str, torch.Tensor]:
    """The graph's inputs for a batch of items."""
    return {"pixel_values": torch.cat([item.value for item in items])}


def facts(predictor: TorchPredictor) -> dict[str, Any]:
    """What `OnnxPredictor` has to know beside the graph."""
    config, processor = predictor.network.config, predictor.processor
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
        },
        "labels": [config.id2label[index] for index in range(config.num_labels)],
        "several": config.problem_type == "multi_label_classification" or config.num_labels == 1,
    }


def save_preparation(predictor: TorchPredictor, folder: Path) -> None:
    """Writes nothing: what turns images into pixels is among the facts."""
