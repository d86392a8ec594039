"""A model is tried before it is called ready."""

from collections.abc import Sequence
from typing import Annotated, Any

import pytest
from pydantic import BaseModel, Field

from my_project.errors import EmptyInputError, InvalidInputError, ModelUnavailableError
from my_project.inference.batching import Item
from my_project.inference.model import InferenceModel
from my_project.inference.schemas import TaskSchemas
from my_project.inference.warm_up import warm_up


class Parameters(BaseModel):
    """No parameters."""


class Recorder(InferenceModel[str, Parameters, int]):
    """Answers the length of a text, and remembers its batches."""

    name, revision = "recorder", None

    def __init__(self, error: Exception | None = None, alone: bool = False) -> None:
        """Raise the error for every batch, or for every batch of one."""
        self.error, self.alone = error, alone
        self.batches: list[list[Any]] = []

    def preprocess(self, inputs: Sequence[str], parameters: Parameters) -> list[Item]:
        """Return the texts."""
        return [Item(text, parameters) for text in inputs]

    def predict_batch(self, items: Sequence[Item]) -> list[int]:
        """Return the lengths."""
        self.batches.append([item.value for item in items])
        if self.error and (len(items) == 1 or not self.alone):
            raise self.error
        return [len(item.value) for item in items]


TWO = TaskSchemas(Annotated[str, Field(examples=["a", "long one", "third"])], Parameters, int)
ONE = TaskSchemas(Annotated[str, Field(examples=["a"])], Parameters, int)
NONE = TaskSchemas(str, Parameters, int)


@pytest.mark.parametrize(
    ("schemas", "batches"), [(TWO, [["a"], ["a", "long one"]]), (ONE, [["a"], ["a", "a"]]), (NONE, [])]
)
def test_an_example_is_predicted_alone_and_two_in_one_batch(schemas: TaskSchemas, batches: list[list[str]]) -> None:
    model = Recorder()
    warm_up(model, schemas)
    assert model.batches == batches


@pytest.mark.parametrize("alone", [False, True])
def test_what_fails_is_said_in_one_line(alone: bool) -> None:
    with pytest.raises(ModelUnavailableError) as raised:
        warm_up(Recorder(ValueError("no padding token\nand more"), alone), TWO)
    assert str(raised.value) == "the model cannot predict the example of schemas.py: ValueError: no padding token"


def test_an_example_that_the_model_refuses_says_nothing_about_it(caplog: pytest.LogCaptureFixture) -> None:
    warm_up(Recorder(InvalidInputError("a: no such user")), TWO)
    assert "an example of schemas.py was refused: a: no such user" in caplog.text


def test_a_tokenizer_without_a_vocabulary_is_not_ready() -> None:
    with pytest.raises(ModelUnavailableError, match="finds no token in the example"):
        warm_up(Recorder(EmptyInputError("a text has no token")), TWO)
