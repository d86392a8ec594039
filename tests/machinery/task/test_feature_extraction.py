"""What sentence embeddings promise."""

import json
import math
from pathlib import Path
from typing import Any

import pytest
import torch
from example import INPUTS

from my_project.errors import InvalidInputError, InvalidParameterError, ModelUnavailableError
from my_project.inference.model import InferenceModel
from my_project.schemas import Parameters
from my_project.task.pooling import pool
from my_project.task.sentence_config import SentenceConfig


def test_vectors_have_length_one_as_the_model_was_trained(model: InferenceModel[Any, Any, Any]) -> None:
    for vector in model.predict(INPUTS, Parameters()):
        assert math.hypot(*vector) == pytest.approx(1, abs=1e-5)


def test_fewer_dimensions_are_normalised_anew(model: InferenceModel[Any, Any, Any]) -> None:
    [vector] = model.predict(INPUTS[:1], Parameters(dimensions=8))
    assert len(vector) == 8
    assert math.hypot(*vector) == pytest.approx(1, abs=1e-5)


def test_a_prompt_is_put_before_the_text(model: InferenceModel[Any, Any, Any]) -> None:
    prompted = model.predict(["in paris"], Parameters(prompt_name="query"))[0]
    assert prompted == pytest.approx(model.predict(["the rain in paris"], Parameters())[0], abs=1e-5)
    with pytest.raises(InvalidParameterError, match="the model defines document, query"):
        model.predict(["in paris"], Parameters(prompt_name="nothing"))


def test_a_long_text_is_cut_only_if_asked(model: InferenceModel[Any, Any, Any]) -> None:
    with pytest.raises(InvalidInputError, match="102 tokens and the model takes 32"):
        model.predict(["rain " * 100], Parameters())
    cut = model.predict(["rain " * 100], Parameters(truncate=True))[0]
    assert cut == pytest.approx(model.predict(["rain " * 30], Parameters())[0], abs=1e-5)


def test_pooling_modes() -> None:
    tokens = torch.tensor([[[1.0], [2.0], [4.0], [9.0]]])
    mask = torch.tensor([[1, 1, 1, 0]])
    modes = ("cls", "max", "mean", "mean_sqrt_len_tokens", "weightedmean", "lasttoken")
    expected = [1, 4, 7 / 3, 7 / 3**0.5, (1 + 4 + 12) / 6, 4]
    assert pool(tokens, mask, modes)[0].tolist() == pytest.approx(expected)


def test_a_module_that_is_unknown_is_refused(tmp_path: Path) -> None:
    (tmp_path / "modules.json").write_text(json.dumps([{"path": "", "type": "models.Surprise"}]))
    with pytest.raises(ModelUnavailableError, match="Surprise"):
        SentenceConfig.read(tmp_path)
