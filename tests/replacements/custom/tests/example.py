"""A small model of irises, and some to ask it about."""

from pathlib import Path
from typing import Any

from my_project.irises import known_irises
from my_project.model import FIELDS, Model

INPUTS: list[Any] = [dict(zip(FIELDS, iris[:4], strict=True)) for iris in known_irises()[10::50]]
REFUSED: Any = {**INPUTS[0], "petal_width": -1}
PARAMETERS = {"digits": 1}
TRAINING = {"holdout": 0.2}


def make_model(folder: Path) -> Path:
    """Write the files of a version to a folder and return it."""
    Model.fit(known_irises()[::3]).save(folder)
    return folder
