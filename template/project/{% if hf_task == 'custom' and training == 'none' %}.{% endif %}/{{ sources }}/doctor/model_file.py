"""The trained model."""

import os
from pathlib import Path

from ..settings import get_settings
from . import Finding


def model(thorough: bool) -> Finding | None:
    """Whether the file of the settings is there, or can be made."""
    path = getattr(get_settings(), "model", None)
    if not isinstance(path, Path):  # a model of another kind took its place
        return None
    if path.is_file():
        return Finding("model", "ok" if os.access(path, os.R_OK) else "fail", f"{path}, {path.stat().st_size:,} bytes")
    folder = next(each for each in path.absolute().parents if each.exists())
    mend = "make one with the command train"
    if not os.access(folder, os.W_OK):
        mend = f"put one there: this user cannot write to {folder}"
    return Finding("model", "fail", f"there is none at {path}", mend)


CHECKS = [model]
