"""The training task, for the ratings of the example. Updates never touch this file."""

from pathlib import Path
from typing import Annotated, NamedTuple

from pydantic import Field

from .errors import InvalidInputError
from .model import Model
from .ratings import Rating, make_ratings, read_ratings
from .training.config import TrainingConfig
from .training.task import Metric, TrainingTask, split_fraction


class Config(TrainingConfig):
    """The fields of training.yaml, which says what each means."""

    data: Path | None = None
    components: Annotated[int, Field(ge=1, le=500)] = 4
    margin: Annotated[float, Field(ge=0)] = 0.02


class Ratings(NamedTuple):
    """Ratings to train on, and those held out for evaluation."""

    train: list[Rating]
    held_out: list[Rating]


class Task(TrainingTask[Config, Ratings, Model]):
    """Train the recommender."""

    Config = Config
    metric = Metric("rmse", higher_is_better=False, relative_margin=True)
    packages = ("scikit-learn",)

    def load_data(self, cache: Path) -> Ratings:
        """Read or generate the ratings. A hash of user and item decides which are held out."""
        ratings = read_ratings(self.config.data) if self.config.data else make_ratings(seed=self.config.seed)
        data = Ratings([], [])
        for each in ratings:
            is_held_out = split_fraction(f"{each.user}\0{each.item}") < self.config.holdout
            (data.held_out if is_held_out else data.train).append(each)
        if not data.train or not data.held_out:
            raise InvalidInputError(f"{len(ratings)} ratings are too few to hold out {self.config.holdout:g}")
        return data

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
