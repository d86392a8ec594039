"""A recommender that learns from ratings: the place of your own model."""

import os
from collections.abc import Sequence
from pathlib import Path
from typing import Self

import joblib
import numpy as np
from sklearn.decomposition import TruncatedSVD

from .batches import Item
from .predictor import InvalidInput, ModelUnavailable, Predictor
from .task import Parameters, Recommendation


def make_ratings(users: int = 200, items: int = 60, tastes: int = 4, seed: int = 0) -> np.ndarray:
    """Ratings from 1 to 5 (users, items) of people with a few tastes; 0 where somebody has not rated."""
    random = np.random.default_rng(seed)
    liking = random.random((users, tastes)) @ random.random((tastes, items))
    liking = 1 + 4 * (liking - liking.min()) / np.ptp(liking)
    return np.where(random.random((users, items)) < 0.3, liking.round(), 0)


class Recommender(Predictor):
    """Completes a table of ratings by its main directions (truncated singular value decomposition)."""

    def __init__(self, ratings: np.ndarray, components: int = 4, seed: int = 0) -> None:
        self.model = "recommender"
        self.revision: str | None = f"{ratings.shape[0]} users, {ratings.shape[1]} items"
        rated = ratings > 0
        means = ratings.sum(axis=1, keepdims=True) / np.maximum(rated.sum(axis=1, keepdims=True), 1)
        centred = np.where(rated, ratings - means, 0)
        svd = TruncatedSVD(components, random_state=seed)
        self._scores = (svd.fit_transform(centred) @ svd.components_ + means).astype(np.float32)
        self._rated = rated

    def prepare(self, inputs: Sequence[str], parameters: Parameters) -> list[Item]:
        """The row of each user. Raises InvalidInput for a user that is unknown."""
        return [Item(self._row(user), parameters) for user in inputs]

    def compute(self, batch: Sequence[Item]) -> list[list[Recommendation]]:
        """The best items for each user."""
        return [self._recommend(item.value, item.parameters) for item in batch]

    def save(self, path: Path) -> None:
        """Writes the model to a file, whole or not at all."""
        path.parent.mkdir(parents=True, exist_ok=True)
        temporary = path.with_name(f".{path.name}.{os.getpid()}.part")
        try:
            joblib.dump(self, temporary)
            temporary.replace(path)
        finally:
            temporary.unlink(missing_ok=True)

    @classmethod
    def load(cls, path: Path) -> Self:
        """The model in a file that `save` wrote; unpickling runs code, so load none that is not your own.

        Raises ModelUnavailable.
        """
        if not path.is_file():
            raise ModelUnavailable(f"there is no model at {path}: make one with the command train")
        try:
            model = joblib.load(path)
        except Exception as error:
            raise ModelUnavailable(f"{path} cannot be loaded: {type(error).__name__}") from error
        if not isinstance(model, cls):
            raise ModelUnavailable(f"{path} holds no recommender")
        return model

    def _row(self, user: str) -> int:
        number = user.removeprefix("user-")
        if not (number.isascii() and number.isdigit() and int(number) < len(self._scores)):
            raise InvalidInput(f"there is no user {user!r}: the model knows user-0 to user-{len(self._scores) - 1}")
        return int(number)

    def _recommend(self, row: int, parameters: Parameters) -> list[Recommendation]:
        scores = self._scores[row]
        if not parameters.include_seen:
            scores = np.where(self._rated[row], -np.inf, scores)
        best = [index for index in np.argsort(-scores)[: parameters.top_k] if np.isfinite(scores[index])]
        return [Recommendation(item=f"item-{index}", score=round(float(scores[index]), 4)) for index in best]
