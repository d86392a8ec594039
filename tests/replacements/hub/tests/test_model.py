"""Tests of the model and its command."""

from typing import Any

import pytest
from example import INPUTS, REFUSED
from typer.testing import CliRunner

from my_project.cli.program import app
from my_project.errors import InvalidInputError
from my_project.inference.model import InferenceModel
from my_project.schemas import Parameters

AnyModel = InferenceModel[Any, Any, Any]


def test_each_review_has_a_label_and_whether_it_is_certain(model: AnyModel) -> None:
    found = model.predict(INPUTS, Parameters())
    assert {each["label"] for each in found} <= {"good", "bad"}
    assert [each["is_certain"] for each in found] == [each["score"] >= 0.9 for each in found]


def test_line_breaks_change_nothing(model: AnyModel) -> None:
    review = {"title": "a\n\nhappy", "body": "\tdog"}
    assert model.predict([review], Parameters()) == model.predict([{"title": "", "body": "a happy dog"}], Parameters())


def test_the_title_is_read_unless_it_is_left_out(model: AnyModel) -> None:
    review, untitled = {"title": "happy", "body": "the rain"}, {"title": "", "body": "the rain"}
    assert model.predict([review], Parameters()) != model.predict([untitled], Parameters())
    assert model.predict([review], Parameters(with_title=False)) == model.predict([untitled], Parameters())


def test_an_empty_review_is_refused(model: AnyModel) -> None:
    with pytest.raises(InvalidInputError, match="no text"):
        model.predict([REFUSED], Parameters())


def test_the_command_names_the_labels() -> None:
    assert CliRunner().invoke(app, ["labels"]).stdout.split() == ["bad", "good"]
