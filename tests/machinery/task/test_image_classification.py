"""What image classification promises."""

import io
from typing import Any

import pytest
from example import INPUTS
from PIL import Image

from my_project.errors import InvalidInputError
from my_project.inference.model import InferenceModel
from my_project.schemas import Parameters
from my_project.task import images


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


def test_a_huge_image_is_refused_before_it_is_unpacked(
    model: InferenceModel[Any, Any, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(images, "MAX_PIXELS", 100)
    with pytest.raises(InvalidInputError, match="40 x 30 pixels"):
        model.predict(INPUTS[:1], Parameters())
