"""The training task, for the ratings of the example. Updates never touch this file."""

from pathlib import Path
from typing import Annotated

from pydantic import Field

from .model import Model
from .ratings import Rating, make_ratings
from .training.config import TrainingConfig
from .training.rows import load_rows
from .training.task import Metric, Split, TrainingTask, split


class Config(TrainingConfig):
    """The fields of training.yaml, which says what each means."""

    data: Path | None = None
    components: Annotated[int, Field(ge=1, le=500)] = 4
    margin: Annotated[float, Field(ge=0)] = 0.02


Ratings = Split[Rating]


class Task(TrainingTask[Config, Ratings, Model]):
    """Train the recommender."""

    Config = Config
    metric = Metric("rmse", higher_is_better=False, relative_margin=True)
    packages = ("scikit-learn",)

    def load_data(self, cache: Path) -> Ratings:
        """Read or generate the ratings. A hash of user and item decides which are held out."""
        path = self.config.data
        ratings = list(load_rows(path, Rating)) if path else make_ratings(seed=self.config.seed)
        return split(ratings, lambda each: f"{each.user}\0{each.item}", self.config.holdout)

    def train(self, data: Ratings, workspace: Path) -> Model:
        """Fit a model to the ratings."""
        return Model.fit(data.train, self.config.components, self.config.seed)

    def save(self, model: Model, folder: Path) -> None:
        """Write the model's file."""
        model.save(folder)

    def load(self, folder: Path, data: Ratings) -> Model:
        """Load a model, to evaluate it."""
        return Model.load(folder, None, self.settings)

    def evaluate(self, model: Model, data: Ratings) -> dict[str, float]:
        """Return the error on the held-out ratings."""
        return {"rmse": model.rmse(data.held_out)}
