"""Run a training task: one at a time, compared with the previous model, and published in the registry."""

import math
import shutil
from collections.abc import Generator, Mapping
from contextlib import contextmanager, nullcontext
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, NamedTuple

from filelock import FileLock, Timeout

from ..errors import InvalidInputError, ModelUnavailableError
from ..registry.store import Registry, Version
from .report import format_metrics, write_report
from .task import WORKSPACE, Metric, ModelRegressionError, TrainingTask

LOCK_FILE = ".training.lock"
"""File in `model_cache` whose lock lets only one training run at a time."""

Task = TrainingTask[Any, Any, Any]


class Evaluation(NamedTuple):
    """The previous model, evaluated on the examples of this training."""

    name: str | None
    """Name of the version; None for the base model, or if there is no previous model."""
    metrics: dict[str, float] | None
    """None if the model cannot be evaluated on these examples."""


def run_training(task: Task, registry: Registry, force: bool = False) -> Version | None:
    """Train a model and publish it as the newest version.

    Args:
        task: What to train.
        registry: Where to publish.
        force: Publish a model that is worse than the previous one.

    Returns:
        The published version; None in every process of a distributed training but the main one.

    Raises:
        InvalidInputError: The configuration or the examples cannot be used, or another training is running.
        ModelUnavailableError: The base model or the registry cannot be used.
        ModelRegressionError: The model is worse than the previous one.
    """
    task.setup()
    try:
        with _exclusive(task.settings.model_cache) if task.is_main_process else nullcontext():
            return _run(task, registry, force)
    finally:
        task.teardown()


def check_training(task: Task) -> str:
    """Read the examples of a task and return how many there are, in words.

    Raises:
        InvalidInputError: The examples cannot be used.
    """
    with TemporaryDirectory() as cache:
        return _describe(task.load_data(Path(cache)))


def find_regression(metric: Metric, margin: float, new: Mapping[str, float], old: Mapping[str, float] | None) -> str:
    """Return why the new model must not be published, or an empty string.

    Args:
        metric: The metric to compare.
        margin: How much worse the new model may be.
        new: Metrics of the new model.
        old: Metrics of the previous model; None if it has none.
    """
    value = new[metric.name]
    if math.isnan(value):
        return f"its {metric.name} is not a number"
    if old is None or math.isnan(old[metric.name]):
        return ""
    previous = old[metric.name]
    worse_by = previous - value if metric.higher_is_better else value - previous
    allowed = margin * abs(previous) if metric.relative_margin else margin
    if worse_by <= allowed:
        return ""
    return f"its {metric.name} of {value:.4f} is worse than the previous {previous:.4f} by more than {allowed:.4g}"


@contextmanager
def _exclusive(cache: Path) -> Generator[None]:
    """Hold the lock, so that no other training runs."""
    cache.mkdir(parents=True, exist_ok=True)
    lock = FileLock(cache / LOCK_FILE, timeout=0, mode=0o664)
    try:
        lock.acquire()
    except Timeout:
        raise InvalidInputError(f"another training is running: it holds {lock.lock_file}") from None
    try:
        yield
    finally:
        lock.release()


def _run(task: Task, registry: Registry, force: bool) -> Version | None:
    workspace = task.settings.model_cache / WORKSPACE
    workspace.mkdir(parents=True, exist_ok=True)
    data = task.load_data(workspace / "examples")
    task.log(f"training on {_describe(data)}")
    model, folder = task.train(data, workspace), workspace / "new"
    details = task.details(model)
    if task.is_main_process:
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir()
        task.save(model, folder)
    task.synchronize()
    del model  # two may not fit into memory

    metrics = task.evaluate(task.load(folder, data), data)
    task.log(f"new model: {format_metrics(metrics)}")
    previous = _evaluate_previous(task, registry, data)
    if reason := find_regression(task.metric, task.config.margin, metrics, previous.metrics):
        if not force:
            raise ModelRegressionError(f"not published: {reason}; --force publishes it anyway")
        task.log(f"published anyway: {reason}")
    if not task.is_main_process:
        return None
    write_report(folder, task.config, metrics, previous._asdict(), task.packages, _examples(task, data) | details)
    version = registry.publish(folder, metrics)
    shutil.rmtree(workspace)
    return version


def _evaluate_previous(task: Task, registry: Registry, data: Any) -> Evaluation:
    """Evaluate the newest version, or the base model while there is no version."""
    name = next(iter(registry.names()), None)
    label = f"version {name}" if name else "base model"
    try:
        if name:
            folder = registry.fetch(registry.find(name), task.settings.model_cache)
        elif task.base:
            folder = task.base.locate()
        else:
            return Evaluation(None, None)
        metrics = task.evaluate(task.load(folder, data), data)
    except (ModelUnavailableError, InvalidInputError) as error:
        task.log(f"{label} cannot be compared: {error}")
        return Evaluation(name, None)
    task.log(f"{label}: {format_metrics(metrics)}")
    return Evaluation(name, metrics)


def _examples(task: Task, data: Any) -> dict[str, Any]:
    digest = task.digest(data)
    counts = {"train": len(data.train), "held_out": len(data.held_out)}
    return {"examples": counts | ({"sha256": digest} if digest else {})}


def _describe(data: Any) -> str:
    return f"{len(data.train):,} examples, evaluating on {len(data.held_out):,}"
