"""The report of a training, read from the files of a version."""

from pathlib import Path
from typing import Any

from pydantic import BaseModel, ValidationError

from .report import REPORT_FILE

MAX_BYTES = 10_000_000
"""Maximum size of a report."""


class UsedExamples(BaseModel):
    """How many examples a training had, and the SHA-256 of all of them if its task knows it."""

    train: int
    held_out: int
    sha256: str | None = None


class BaseOfTraining(BaseModel):
    """The model that a training started from: one of the hub has a revision."""

    model: str
    revision: str | None = None


class Report(BaseModel):
    """A report, as far as the model card needs it."""

    training: dict[str, Any]
    examples: UsedExamples
    base: BaseOfTraining | None = None
    packages: dict[str, str] = {}


def read_report(folder: Path) -> Report | None:
    """Return the report in the folder of a model. None if it has none, or a file of that name that is none."""
    path = folder / REPORT_FILE
    if not path.is_file() or path.stat().st_size > MAX_BYTES:
        return None
    try:
        return Report.model_validate_json(path.read_bytes())
    except ValidationError:
        return None
