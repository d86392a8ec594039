"""Answers for repositories of unlike shape, beside those that an engineer gives."""

from pathlib import Path

import pytest

from tests.adopt.corpus import Shape, marks, shapes


@pytest.mark.parametrize("shape", shapes(), ids=lambda shape: shape.name)
def test_answers_are_right(shape: Shape, tmp_path: Path) -> None:
    wrong = [mark for mark in marks(shape, shape.write(tmp_path / shape.name)) if not mark.right]

    assert not wrong
