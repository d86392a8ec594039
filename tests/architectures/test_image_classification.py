"""Images are classified as transformers' pipeline does."""

import io
import json
from pathlib import Path
from typing import Any

import pytest
from conftest import Load
from image_models import images, make_image_model
from PIL import Image
from transformers import ViTConfig, ViTForImageClassification, ViTImageProcessor, pipeline

from my_project.errors import ModelUnavailableError
from my_project.schemas import Parameters

IMAGES = images()


def agrees(model: Any, folder: Path) -> None:
    """Compare the scores of all images, in one request, with those of each alone."""
    classify = pipeline("image-classification", model=str(folder), device="cpu")
    for data, labels in zip(IMAGES, model.predict(IMAGES, Parameters(top_k=100)), strict=True):
        wanted = {each["label"]: each["score"] for each in classify(Image.open(io.BytesIO(data)), top_k=100)}
        assert {each["label"]: each["score"] for each in labels} == pytest.approx(wanted, rel=1e-4, abs=1e-6)


@pytest.mark.parametrize(
    ("kind", "options"),
    [
        ("resnet", {"size": {"shortest_edge": 64}, "crop_pct": 0.875}),
        ("resnet", {"size": {"shortest_edge": 384}}),
        ("poolformer", {"size": {"shortest_edge": 64}, "crop_size": {"height": 64, "width": 64}, "crop_pct": 0.9}),
        ("mobilenet_v2", {"size": {"shortest_edge": 72}, "crop_size": {"height": 64, "width": 64}}),
        ("mobilevit", {"size": {"shortest_edge": 72}, "crop_size": {"height": 64, "width": 64}}),
    ],
    ids=["cut", "warped", "poolformer", "centre", "blue-first"],
)
def test_images_are_resized_and_cut_as_the_model_was_trained(
    load: Load, tmp_path: Path, kind: str, options: dict[str, Any]
) -> None:
    make_image_model(tmp_path, kind, **options)
    agrees(load(tmp_path), tmp_path)


@pytest.mark.parametrize("steps", [("do_rescale",), ("do_normalize",), ("do_rescale", "do_normalize")], ids=str)
def test_steps_that_the_model_leaves_out(load: Load, tmp_path: Path, steps: tuple[str, ...]) -> None:
    sizes = {"hidden_size": 32, "num_hidden_layers": 2, "num_attention_heads": 2, "intermediate_size": 64}
    ViTForImageClassification(ViTConfig(image_size=32, patch_size=8, **sizes)).save_pretrained(tmp_path)
    ViTImageProcessor(size={"height": 32, "width": 32}, **dict.fromkeys(steps, False)).save_pretrained(tmp_path)
    agrees(load(tmp_path), tmp_path)


@pytest.mark.parametrize(
    ("kind", "options"),
    [
        ("mobilenet_v2", {"size": {"shortest_edge": 64}, "do_center_crop": False}),
        ("efficientnet", {"size": {"height": 64, "width": 64}, "rescale_offset": True}),
    ],
    ids=["proportions", "offset"],
)
def test_what_an_export_cannot_hold_is_computed_by_torch(
    load: Load, tmp_path: Path, kind: str, options: dict[str, Any]
) -> None:
    make_image_model(tmp_path, kind, **options)
    try:
        model = load(tmp_path)
    except ModelUnavailableError as error:
        assert "keep runtime torch" in str(error)
        return
    agrees(model, tmp_path)


@pytest.mark.parametrize(
    ("kind", "reason"), [("siglip2", "reads pixel_attention_mask, spatial_shapes"), ("imagegpt", "reads input_ids")]
)
def test_a_network_that_reads_more_than_pixels_is_refused_by_name(
    load: Load, tmp_path: Path, kind: str, reason: str
) -> None:
    make_image_model(tmp_path, kind)
    with pytest.raises(ModelUnavailableError, match=reason):
        load(tmp_path)


def test_a_size_that_no_image_can_have_is_refused_by_name(load: Load, tmp_path: Path) -> None:
    make_image_model(tmp_path, "mobilenet_v2")
    path = tmp_path / "preprocessor_config.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | {"size": {"longest_edge": 64}}))
    with pytest.raises(ModelUnavailableError, match="cannot process an image"):
        load(tmp_path)
