"""The promises of every model, whatever its task."""

from typing import Any

import pytest
from alike import assert_alike
from example import INPUTS

from my_project.components import get_settings, load_model, schemas
from my_project.errors import ModelUnavailableError
from my_project.inference.model import InferenceModel


def test_predictions_come_in_order(model: InferenceModel[Any, Any, Any]) -> None:
    parameters = schemas().parameters()
    together = model.predict(INPUTS, parameters)
    for text, prediction in zip(INPUTS, together, strict=True):
        assert_alike(prediction, model.predict([text], parameters)[0])


def test_batch_size_changes_no_prediction(
    model: InferenceModel[Any, Any, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    parameters = schemas().parameters()
    expected = model.predict(INPUTS, parameters)
    monkeypatch.setenv("MY_PROJECT_MAX_BATCH_SIZE", "1")
    get_settings.cache_clear()
    for one, other in zip(load_model(get_settings()).predict(INPUTS, parameters), expected, strict=True):
        assert_alike(one, other)


@pytest.mark.parametrize("missing", ["/no/such/folder", "./tests"])
def test_a_missing_model_is_refused_in_one_line(missing: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MY_PROJECT_MODEL", missing)
    get_settings.cache_clear()
    with pytest.raises(ModelUnavailableError) as refusal:
        load_model(get_settings())
    assert "\n" not in str(refusal.value)
