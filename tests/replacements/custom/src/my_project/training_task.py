"""Training of the classifier."""

from pathlib import Path
from typing import Annotated

from pydantic import Field

from .irises import Iris, known_irises
from .model import Model
from .training.config import TrainingConfig
from .training.rows import load_rows
from .training.task import Metric, Split, TrainingTask, split


class Config(TrainingConfig):
    """The fields of training.yaml."""

    data: Path | None = None
    inverse_regularization: Annotated[float, Field(gt=0)] = 1


class Task(TrainingTask[Config, Split[Iris], Model]):
    """Train the classifier."""

    Config = Config
    metric = Metric("accuracy", higher_is_better=True)
    packages = ("scikit-learn",)

    def load_data(self, cache: Path) -> Split[Iris]:
        """Read the irises, or take those that are known."""
        irises = list(load_rows(self.config.data, Iris)) if self.config.data else known_irises()
        return split(irises, repr, self.config.holdout)

    def train(self, data: Split[Iris], workspace: Path) -> Model:
        """Fit the regression."""
        return Model.fit(data.train, self.config.inverse_regularization)

    def save(self, model: Model, folder: Path) -> None:
        """Write the model's file."""
        model.save(folder)

    def load(self, folder: Path, data: Split[Iris]) -> Model:
        """Load a model, to evaluate it."""
        return Model.load(folder, None, self.settings)

    def evaluate(self, model: Model, data: Split[Iris]) -> dict[str, float]:
        """Return the accuracy on the irises that are held out."""
        return {"accuracy": model.accuracy(data.held_out)}
