"""A tiny model of random weights, and what may be asked of it."""

import io
from pathlib import Path

import torch
from PIL import Image
from transformers import ViTConfig, ViTForImageClassification, ViTImageProcessor


def make_image(colour: str) -> bytes:
    """A PNG file of one colour."""
    stream = io.BytesIO()
    Image.new("RGB", (40, 30), colour).save(stream, "PNG")
    return stream.getvalue()


INPUTS = [make_image(colour) for colour in ("red", "green", "blue")]
REFUSED = b"no image"
PARAMETERS = {"top_k": 2}
SIZE = {"hidden_size": 32, "num_hidden_layers": 2, "num_attention_heads": 4, "intermediate_size": 64}


def make_model(folder: Path) -> Path:
    """Writes a model with three labels to the folder."""
    torch.manual_seed(0)
    labels = {0: "cat", 1: "dog", 2: "bird"}
    ViTForImageClassification(ViTConfig(image_size=32, patch_size=8, id2label=labels, **SIZE)).save_pretrained(folder)
    ViTImageProcessor(size={"height": 32, "width": 32}).save_pretrained(folder)
    return folder
