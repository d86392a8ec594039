"""The report of a training: in a line of the log, and in files beside the trained model."""

import json
from collections.abc import Mapping, Sequence
from importlib.metadata import version
from pathlib import Path
from typing import Any

from .config import TrainingConfig

REPORT_FILE = "training.json"

CURVES_FILE = "training.png"
"""Picture of the losses, in the folder of a version."""


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
