import pytest

from streamflow.data import load, split, windows
from streamflow.models import MODELS, nse


@pytest.mark.parametrize("name", MODELS)
def test_fit_save_load(name, tmp_path):
    (x, y), _ = split(*windows(load()))
    model = MODELS[name]().fit(x, y, 40)
    assert nse(y, model.predict(x)) > 0.2
    path = tmp_path / model.file
    model.save(path)
    assert MODELS[name].load(path).predict(x) == pytest.approx(model.predict(x))
