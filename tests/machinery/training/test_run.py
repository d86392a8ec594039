"""The machinery of a training: one at a time, compared with the previous model, published in the registry."""

import json
from pathlib import Path
from types import SimpleNamespace
from typing import Any, NamedTuple

import pytest
from filelock import FileLock

from my_project.errors import InvalidInputError, ModelUnavailableError
from my_project.registry.selection import BaseFiles
from my_project.registry.store import Registry
from my_project.training.config import TrainingConfig
from my_project.training.run import LOCK_FILE, check_training, find_regression, run_training
from my_project.training.task import WORKSPACE, Metric, ModelRegressionError, TrainingTask


class Config(TrainingConfig):
    """A configuration that decides how good the model is."""

    score: float = 0.5
    fails: bool = False


class Data(NamedTuple):
    """Some examples."""

    train: list[int]
    held_out: list[int]


class Task(TrainingTask[Config, Data, float]):
    """Train a model that is a number."""

    Config = Config
    metric = Metric("score", higher_is_better=True)

    def load_data(self, cache: Path) -> Data:
        """Return nine examples and one."""
        return Data(list(range(9)), [9])

    def train(self, data: Data, workspace: Path) -> float:
        """Return the number, or fail as a crash does."""
        if self.config.fails:
            (workspace / "half").mkdir()
            raise RuntimeError("crashed")
        return self.config.score

    def save(self, model: float, folder: Path) -> None:
        """Write the number."""
        (folder / "score").write_text(f"{model}")

    def load(self, folder: Path, data: Data) -> float:
        """Read the number."""
        try:
            return float((folder / "score").read_text())
        except (OSError, ValueError) as error:
            raise ModelUnavailableError("no score") from error

    def evaluate(self, model: float, data: Data) -> dict[str, float]:
        """Return the number."""
        return {"score": model}


@pytest.fixture
def registry(tmp_path: Path) -> Registry:
    """Return an empty registry."""
    return Registry(str(tmp_path / "models"))


def make_task(tmp_path: Path, base: BaseFiles | None = None, **values: Any) -> tuple[Task, list[str]]:
    """Return a task with a configuration, and the list of the lines that it logs."""
    lines: list[str] = []
    settings: Any = SimpleNamespace(model_cache=tmp_path / "cache")
    return Task(Config(**values), settings, base, lines.append), lines


def test_a_trained_model_is_published_with_a_report(tmp_path: Path, registry: Registry) -> None:
    task, lines = make_task(tmp_path)
    version = run_training(task, registry)
    assert version and version.metrics == {"score": 0.5}
    assert registry.names() == [version.name]
    assert Path(registry.address, version.name, "score").read_text() == "0.5"
    report = json.loads(Path(registry.address, version.name, "training.json").read_text())
    assert report["training"]["score"] == 0.5
    assert report["examples"] == {"train": 9, "held_out": 1}
    assert report["previous"] == {"name": None, "metrics": None}
    assert lines == ["training on 9 examples, evaluating on 1", "new model: score 0.5000"]
    assert not (tmp_path / "cache" / WORKSPACE).exists()


def test_a_worse_model_is_published_only_by_force(tmp_path: Path, registry: Registry) -> None:
    first = run_training(make_task(tmp_path)[0], registry)
    assert first
    with pytest.raises(ModelRegressionError, match=r"not published: its score of 0\.4000 is worse than"):
        run_training(make_task(tmp_path, score=0.4)[0], registry)
    assert registry.names() == [first.name]
    task, lines = make_task(tmp_path, score=0.4)
    assert run_training(task, registry, force=True)
    assert lines[-1].startswith("published anyway: its score of 0.4000")
    assert len(registry.names()) == 2
    assert run_training(make_task(tmp_path, score=0.395)[0], registry), "within the margin of the newest version"


def test_the_first_model_is_compared_with_the_base_model(tmp_path: Path, registry: Registry) -> None:
    (tmp_path / "base").mkdir()
    (tmp_path / "base/score").write_text("0.9")
    task, lines = make_task(tmp_path, BaseFiles("base", None, lambda: tmp_path / "base"))
    with pytest.raises(ModelRegressionError):
        run_training(task, registry)
    assert lines[-1] == "base model: score 0.9000"


def test_a_previous_version_that_cannot_be_loaded_is_not_compared(tmp_path: Path, registry: Registry) -> None:
    (tmp_path / "broken").mkdir()
    (tmp_path / "broken/score").write_text("none")
    broken = registry.publish(tmp_path / "broken").name
    task, lines = make_task(tmp_path)
    assert run_training(task, registry)
    assert lines[-1] == f"version {broken} cannot be compared: no score"


def test_only_one_training_runs_at_a_time(tmp_path: Path, registry: Registry) -> None:
    (tmp_path / "cache").mkdir()
    lock = FileLock(tmp_path / "cache" / LOCK_FILE)
    with lock, pytest.raises(InvalidInputError, match="another training is running"):
        run_training(make_task(tmp_path)[0], registry)
    assert run_training(make_task(tmp_path)[0], registry)


def test_files_of_a_crashed_training_are_deleted_by_the_next(tmp_path: Path, registry: Registry) -> None:
    with pytest.raises(RuntimeError, match="crashed"):
        run_training(make_task(tmp_path, fails=True)[0], registry)
    assert registry.names() == []
    assert (tmp_path / "cache" / WORKSPACE / "half").exists()
    assert run_training(make_task(tmp_path)[0], registry)
    assert not (tmp_path / "cache" / WORKSPACE).exists()


def test_a_check_writes_nothing(tmp_path: Path) -> None:
    assert check_training(make_task(tmp_path)[0]) == "9 examples, evaluating on 1"
    assert not (tmp_path / "cache").exists()


ACCURACY = Metric("accuracy", higher_is_better=True)
LOSS = Metric("loss", higher_is_better=False)
NAN = float("nan")


@pytest.mark.parametrize(
    ("metric", "new", "old", "margin", "is_worse"),
    [
        (ACCURACY, 0.8, 0.9, 0.05, True),
        (ACCURACY, 0.86, 0.9, 0.05, False),
        (ACCURACY, 0.9, 0.9, 0, False),
        (LOSS, 2.0, 1.9, 0.05, True),
        (LOSS, 1.0, 1.9, 0, False),
        (Metric("loss", False, relative_margin=True), 10.4, 10, 0.05, False),
        (Metric("loss", False, relative_margin=True), 10.6, 10, 0.05, True),
        (LOSS, NAN, 1, 0.05, True),
        (LOSS, NAN, None, 0.05, True),
        (LOSS, 1, NAN, 0.05, False),
        (LOSS, 1, None, 0, False),
    ],
)
def test_a_regression_is_found(metric: Metric, new: float, old: float | None, margin: float, is_worse: bool) -> None:
    previous = None if old is None else {metric.name: old}
    reason = find_regression(metric, margin, {metric.name: new}, previous)
    assert bool(reason) == is_worse
    assert "\n" not in reason
