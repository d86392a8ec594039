"""Small image classifiers of random weights, with the image processors of their architectures, and images for them."""

import io
from pathlib import Path
from typing import Any

import numpy as np
import torch
from PIL import Image, ImageFilter
from tiny import HEADS, INNER, LAYERS, WIDTHS
from transformers import (
    CONFIG_MAPPING,
    IMAGE_PROCESSOR_MAPPING,
    MODEL_FOR_IMAGE_CLASSIFICATION_MAPPING,
    PretrainedConfig,
    PreTrainedModel,
    ViTImageProcessorPil,
)

SIZES = [(64, 48), (48, 64), (224, 224), (300, 90), (7, 5)]
"""Width and height of the images."""

SMALL = {**dict.fromkeys(WIDTHS, 32), **dict.fromkeys(LAYERS, 2), **dict.fromkeys(HEADS, 2), **dict.fromkeys(INNER, 64)}
"""Values of a small configuration, by the names that configurations use."""

OPTIONS: dict[str, dict[str, Any]] = {
    "imagegpt": {"clusters": [[-1.0] * 3, [1.0] * 3], "size": {"height": 32, "width": 32}}
}
"""Options of image processors that lack a default that fits."""


def images() -> list[bytes]:
    """Return files of blurred random colours, one of them grey."""
    found = []
    for seed, size in enumerate(SIZES):
        noise = np.random.default_rng(seed).integers(0, 256, (9, 12, 3), dtype=np.uint8)
        image = Image.fromarray(noise).resize(size).filter(ImageFilter.GaussianBlur(2))
        stream = io.BytesIO()
        image.convert("L" if seed == 1 else "RGB").save(stream, "PNG")
        found.append(stream.getvalue())
    return found


def make_image_model(folder: Path, kind: str, **options: Any) -> PreTrainedModel:
    """Write a model and its image processor, and return the model. Raises whatever these raise.

    Args:
        folder: Where to write.
        kind: The architecture.
        **options: Of the image processor, in place of its own.
    """
    default = CONFIG_MAPPING[kind]()
    try:
        return _make(folder, type(default)(**_shrink(default)), **options)
    except Exception:  # sizes that do not fit each other
        if default.sub_configs:  # several networks, which may have billions of weights
            raise
    return _make(folder, default, **options)


def _make(folder: Path, config: PretrainedConfig, **options: Any) -> PreTrainedModel:
    torch.manual_seed(0)
    network_class = MODEL_FOR_IMAGE_CLASSIFICATION_MAPPING[type(config)]
    network = (network_class[0] if isinstance(network_class, tuple) else network_class)(config).eval()
    classes = IMAGE_PROCESSOR_MAPPING.get(type(config), {"pil": ViTImageProcessorPil})
    processor = classes["pil"](**OPTIONS.get(config.model_type, {}), **options)
    side = getattr(config, "image_size", None)
    if not options and isinstance(side, int) and "height" in dict(processor.size or {}):
        processor.size = {"height": side, "width": side}
    with torch.inference_mode():
        network(**processor(images=Image.new("RGB", (64, 48)), return_tensors="pt"))
    network.save_pretrained(folder)
    processor.save_pretrained(folder)
    return network


def _shrink(config: PretrainedConfig) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for name, value in config.to_dict().items():
        child = getattr(config, name, None)
        if isinstance(child, PretrainedConfig):
            found[name] = _shrink(child)
        elif name in SMALL and isinstance(value, int):
            found[name] = SMALL[name]
    return found
