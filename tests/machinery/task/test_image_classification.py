"""What image classification promises."""

import io
from typing import Any

import pytest
from example import INPUTS
from machinery.recipes import Recipe
from machinery.recipes.images import IMAGES, saved
from PIL import Image

from my_project.errors import InvalidInputError
from my_project.inference.model import InferenceModel
from my_project.schemas import Parameters
from my_project.task import images
from my_project.task.model import ImageClassificationModel


def test_labels_come_best_first_and_sum_to_one(model: InferenceModel[Any, Any, Any]) -> None:
    for labels in model.predict(INPUTS, Parameters()):
        scores = [label["score"] for label in labels]
        assert {label["label"] for label in labels} == {"cat", "dog", "bird"}
        assert scores == sorted(scores, reverse=True)
        assert sum(scores) == pytest.approx(1, abs=1e-5)


@pytest.mark.parametrize("mode", ["L", "RGBA", "P", "CMYK"])
def test_every_kind_of_image_is_read(model: InferenceModel[Any, Any, Any], mode: str) -> None:
    stream = io.BytesIO()
    Image.new(mode, (8, 8)).save(stream, "TIFF")
    assert model.predict([stream.getvalue()], Parameters())


def test_a_broken_image_is_refused(model: InferenceModel[Any, Any, Any]) -> None:
    with pytest.raises(InvalidInputError, match="an input is"):
        model.predict([INPUTS[0][:40]], Parameters())


@pytest.mark.parametrize(
    ("limits", "reason"),
    [(images.ImageLimits(max_pixels=100), "at most 100 are read"), (images.ImageLimits(max_side=39), "at most 39")],
)
def test_a_huge_image_is_refused_before_it_is_unpacked(
    model: ImageClassificationModel, monkeypatch: pytest.MonkeyPatch, limits: images.ImageLimits, reason: str
) -> None:
    monkeypatch.setattr(model, "image_limits", limits)
    for refuse in (model.predict, model.check_request):
        with pytest.raises(InvalidInputError, match=f"40 x 30 pixels; .*{reason}"):
            refuse(INPUTS[:1], Parameters())


def test_the_pixels_of_a_request_are_limited_together(
    model: ImageClassificationModel, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(model, "max_request_pixels", 2399)
    model.check_request(INPUTS[:1], Parameters())
    with pytest.raises(InvalidInputError, match="2 images have 2,400 pixels; at most 2,399"):
        model.check_request(INPUTS[:1] * 2, Parameters())


def test_images_that_take_long_to_decode_are_large(model: ImageClassificationModel) -> None:
    assert not model.is_large(INPUTS[:1])
    assert model.is_large([saved("1", (2000, 1001), "PNG")])
    assert model.is_large([saved("1", (1000, 1001), "PNG")] * 2)
    assert model.is_large([saved("1", (8, 8), "PNG")] * 5)
    assert model.is_large([b"no image" * 100_000]), "without a look at the header, which may be large itself"
    with pytest.raises(InvalidInputError, match="known format"):
        model.is_large([b"no image"])


def test_a_file_that_does_not_end_is_refused(model: ImageClassificationModel) -> None:
    with pytest.raises(InvalidInputError, match="'/dev/zero': larger than 100,000,000 bytes"):
        model.parse_text("/dev/zero")


@pytest.mark.parametrize("recipe", IMAGES, ids=str)
def test_images_that_are_made_to_hurt_are_refused_or_read(model: ImageClassificationModel, recipe: Recipe) -> None:
    data = recipe.make()
    assert len(data) < 7_500_000, "an image that a request can hold"
    if not recipe.refusal:
        assert model.predict([data], Parameters())
        return
    with pytest.raises(InvalidInputError, match=recipe.refusal):
        model.check_request([data], Parameters())
        model.predict([data], Parameters())
