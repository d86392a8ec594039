"""The report of a training: in a line of the log, and in files beside the trained model."""

import json
from collections.abc import Mapping, Sequence
from importlib.metadata import version
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ValidationError

from .config import TrainingConfig

REPORT_FILE = "training.json"

CURVES_FILE = "training.png"
"""Picture of the losses, in the folder of a version."""

MAX_REPORT_BYTES = 10_000_000
"""Maximum size of a report that is read."""


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
    """A report, as far as other modules read it."""

    training: dict[str, Any]
    examples: UsedExamples
    base: BaseOfTraining | None = None
    packages: dict[str, str] = {}


def format_metrics(metrics: Mapping[str, float]) -> str:
    """Return the metrics in one line."""
    return ", ".join(f"{name} {value:.4f}" for name, value in metrics.items())


def write_report(
    folder: Path,
    config: TrainingConfig,
    metrics: Mapping[str, float],
    previous: Mapping[str, Any],
    packages: Sequence[str],
    details: Mapping[str, Any],
) -> None:
    """Write REPORT_FILE to the folder of a trained model.

    Args:
        folder: The folder of the model.
        config: How it was trained.
        metrics: Its metrics.
        previous: Name and metrics of the model that it was compared with.
        packages: Distributions whose versions to list.
        details: What else the report says.
    """
    report = {
        "training": config.model_dump(mode="json"),
        "metrics": metrics,
        "previous": previous,
        "packages": {name: version(name) for name in packages},
        **details,
    }
    (folder / REPORT_FILE).write_text(json.dumps(report, indent=2) + "\n", "utf-8")


def read_report(folder: Path) -> Report | None:
    """Return the report in the folder of a model. None if it has none, or a file of that name that is none."""
    path = folder / REPORT_FILE
    if not path.is_file() or path.stat().st_size > MAX_REPORT_BYTES:
        return None
    try:
        return Report.model_validate_json(path.read_bytes())
    except ValidationError:
        return None
