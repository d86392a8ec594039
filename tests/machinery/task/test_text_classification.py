"""What text classification promises."""

from typing import Any

import pytest
from example import INPUTS

from my_project.inference.model import InferenceModel
from my_project.schemas import Parameters


def test_labels_come_best_first_and_sum_to_one(model: InferenceModel[Any, Any, Any]) -> None:
    for labels in model.predict(INPUTS, Parameters()):
        scores = [label["score"] for label in labels]
        assert {label["label"] for label in labels} == {"sad", "calm", "happy"}
        assert scores == sorted(scores, reverse=True)
        assert sum(scores) == pytest.approx(1, abs=1e-5)


def test_scores_are_made_as_asked(model: InferenceModel[Any, Any, Any]) -> None:
    [labels] = model.predict(INPUTS[:1], Parameters(function_to_apply="sigmoid"))
    assert sum(label["score"] for label in labels) != pytest.approx(1, abs=1e-3)


def test_a_long_text_is_cut_only_if_asked(model: InferenceModel[Any, Any, Any]) -> None:
    cut = model.predict(["rain " * 100], Parameters(truncate=True))
    assert [label["label"] for label in cut[0]]
