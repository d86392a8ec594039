import numpy as np
import pytest

from tidewatch.detector import Detector, Preset


@pytest.fixture(scope="module")
def level():
    return np.sin(np.arange(200) / 2)


def test_an_outlier_scores_highest(level):
    detector = Detector(Preset.named("small")).fit(level)
    strange = level.copy()
    strange[100] += 4
    assert 88 < int(np.argmax(detector.scores(strange))) <= 100


def test_round_trip(level, tmp_path):
    detector = Detector(Preset(8, 2, 5, 0.01)).fit(level)
    detector.save(tmp_path / "m.pt")
    assert Detector.load(tmp_path / "m.pt").scores(level) == pytest.approx(detector.scores(level))


def test_presets_are_shipped():
    assert Preset.named("large").window == 48
