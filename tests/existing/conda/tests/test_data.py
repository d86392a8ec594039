import numpy as np
import pytest

from streamflow.data import load, split, windows


def test_windows_end_on_their_day():
    frame = load()
    x, y = windows(frame, 7)
    assert x.shape == (len(frame) - 6, 7, 2)
    assert y[0] == np.float32(frame["discharge"].iloc[6])


def test_split_keeps_order():
    x, y = windows(load())
    (a, _), (b, _) = split(x, y)
    assert np.array_equal(np.concatenate([a, b]), x)


def test_missing_column(tmp_path):
    path = tmp_path / "c.csv"
    path.write_text("date,rain_mm\n2021-01-01,1\n")
    with pytest.raises(ValueError, match="discharge, temp_c"):
        load(path)
