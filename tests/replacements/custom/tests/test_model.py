"""Tests of the model and its command."""

import pytest
from example import INPUTS, REFUSED
from typer.testing import CliRunner

from my_project.cli.program import app
from my_project.errors import InvalidInputError
from my_project.irises import known_irises
from my_project.model import Model
from my_project.schemas import Parameters


def test_each_iris_has_its_species(model: Model) -> None:
    found = model.predict(INPUTS, Parameters())
    assert [each["species"] for each in found] == ["setosa", "versicolor", "virginica"]


def test_no_flower_is_refused(model: Model) -> None:
    with pytest.raises(InvalidInputError, match="positive numbers"):
        model.predict([REFUSED], Parameters())


def test_most_irises_are_told_apart() -> None:
    irises = known_irises()
    assert Model.fit(irises[::2]).accuracy(irises[1::2]) > 0.9


def test_the_command_names_the_species() -> None:
    assert CliRunner().invoke(app, ["species"]).stdout.split() == ["setosa", "versicolor", "virginica"]
