"""What is told of a training: in a line, and in files beside the model that came of it."""

import json
from collections.abc import Mapping
from importlib.metadata import version
from pathlib import Path
from typing import Any

from .learner import METRIC
from .recipe import Recipe

REPORT = "training.json"
CURVES = "training.png"


def told(metrics: Mapping[str, float]) -> str:
    """The metrics that matter, in words."""
    return ", ".join(f"{name} {metrics[name]:.4f}" for name in dict.fromkeys([METRIC, "loss"]) if name in metrics)


def write(
    folder: Path,
    training: Recipe,
    facts: Mapping[str, Any],
    metrics: Mapping[str, float],
    before: Mapping[str, Any],
    history: list[dict[str, float]],
) -> None:
    """Writes how a model was trained, and how that went, into its folder: as JSON, and as a picture."""
    made = {
        "training": training.model_dump(mode="json"),
        **facts,
        "metrics": metrics,
        "before": before,
        "packages": {name: version(name) for name in ("torch", "transformers")},
        "history": history,
    }
    (folder / REPORT).write_text(json.dumps(made, indent=2) + "\n", "utf-8")
    _draw(folder / CURVES, history)


def _draw(path: Path, history: list[dict[str, float]]) -> None:
    from matplotlib.figure import Figure

    figure = Figure(figsize=(8, 4), layout="constrained")
    axes = figure.subplots()
    for name, label in (("loss", "learned"), ("eval_loss", "held out")):
        points = [(each["epoch"], each[name]) for each in history if name in each]
        if points:
            axes.plot(*zip(*points, strict=True), label=label, marker="." if len(points) < 20 else "")
    axes.set(xlabel="epoch", ylabel="loss")
    axes.legend()
    figure.savefig(path, dpi=100)
