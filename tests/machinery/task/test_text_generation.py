"""What text generation promises."""

import json
import shutil
from pathlib import Path
from typing import Any

import pytest
from example import INPUTS

from my_project.components import get_settings, load_model
from my_project.errors import InvalidInputError, InvalidParameterError
from my_project.inference.model import InferenceModel
from my_project.schemas import Parameters


def test_the_same_seed_draws_the_same(model: InferenceModel[Any, Any, Any]) -> None:
    drawn = Parameters(temperature=5, seed=1, max_new_tokens=16)
    assert model.predict(INPUTS[:1], drawn) == model.predict(INPUTS[:1], drawn)
    assert model.predict(INPUTS[:1], drawn) != model.predict(INPUTS[:1], drawn.model_copy(update={"seed": 2}))


@pytest.mark.parametrize(
    ("parameters", "same"),
    [
        (Parameters(), True),
        (Parameters(temperature=0.5), False),
        (Parameters(do_sample=True), False),
        (Parameters(do_sample=False, top_k=3), True),
    ],
)
def test_only_what_is_not_drawn_repeats(
    model: InferenceModel[Any, Any, Any], parameters: Parameters, same: bool
) -> None:
    assert model.is_deterministic(parameters) == same


def test_the_prompt_comes_back_only_if_asked(model: InferenceModel[Any, Any, Any]) -> None:
    [bare] = model.predict(INPUTS[:1], Parameters())
    [full] = model.predict(INPUTS[:1], Parameters(return_full_text=True))
    assert full["generated_text"] == INPUTS[0] + bare["generated_text"]


def test_a_text_ends_before_the_stop(model: InferenceModel[Any, Any, Any]) -> None:
    [free] = model.predict(INPUTS[:1], Parameters())
    stop = free["generated_text"][4:6]
    [stopped] = model.predict(INPUTS[:1], Parameters(stop=[stop]))
    assert stop not in stopped["generated_text"]


def test_stop_strings_of_the_model_itself(
    model: InferenceModel[Any, Any, Any], model_folder: Path, tmp_path: Path
) -> None:
    [free] = model.predict(INPUTS[:1], Parameters())
    stop = free["generated_text"][4:6]
    folder = shutil.copytree(model_folder, tmp_path / "model")
    config = folder / "generation_config.json"
    config.write_text(json.dumps(json.loads(config.read_text()) | {"stop_strings": [stop]}))
    stopping = load_model(get_settings().model_copy(update={"model": str(folder)}))
    [stopped] = stopping.predict(INPUTS[:1], Parameters())
    assert free["generated_text"].startswith(stopped["generated_text"])
    assert stopped["generated_text"].count(stop) == 1


def test_a_prompt_needs_room_for_the_answer(model: InferenceModel[Any, Any, Any]) -> None:
    with pytest.raises(InvalidInputError, match="lower max_new_tokens"):
        model.predict(INPUTS[:1], Parameters(max_new_tokens=128))


@pytest.mark.parametrize("name", ["stream", "details"])
def test_what_only_streams_have_is_refused(model: InferenceModel[Any, Any, Any], name: str) -> None:
    with pytest.raises(InvalidParameterError, match="only a streamed answer"):
        model.predict(INPUTS[:1], Parameters.model_validate({name: True}))
