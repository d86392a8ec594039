from pathlib import Path

import numpy as np
import pandas as pd

DATA = Path(__file__).resolve().parents[1] / "data"
FORCINGS = ["rain_mm", "temp_c"]


def load(path=DATA / "catchment.csv"):
    frame = pd.read_csv(path, parse_dates=["date"], index_col="date")
    missing = {*FORCINGS, "discharge"} - set(frame.columns)
    if missing:
        raise ValueError(f"{path}: no column {', '.join(sorted(missing))}")
    return frame


def windows(frame, length=7):
    """(n, length, features) of the days before, and the discharge of the day."""
    x = frame[FORCINGS].to_numpy(np.float32)
    x = (x - x.mean(0)) / x.std(0)
    y = frame["discharge"].to_numpy(np.float32)
    view = np.lib.stride_tricks.sliding_window_view(x, length, axis=0).transpose(0, 2, 1)
    return view.copy(), y[length - 1 :]


def split(x, y, fraction=0.75):
    cut = int(len(x) * fraction)
    return (x[:cut], y[:cut]), (x[cut:], y[cut:])
