"""A recommender that learns from ratings: the place of your own model."""

import math
import os
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Self

import joblib
import numpy as np
from sklearn.decomposition import TruncatedSVD

from .batches import Item
from .predictor import InvalidInput, ModelUnavailable, Predictor
from .ratings import Rating
from .task import Parameters, Recommendation


class Recommender(Predictor):
    """Completes a table of ratings by its main directions (truncated singular value decomposition)."""

    def __init__(self, ratings: Sequence[Rating], components: int = 4, seed: int = 0) -> None:
        """Raises InvalidInput where there are fewer users or items than components."""
        users = list(dict.fromkeys(each.user for each in ratings))
        self._items = list(dict.fromkeys(each.item for each in ratings))
        if components > min(len(users), len(self._items)):
            raise InvalidInput(f"{components} components are more than {len(users)} users and {len(self._items)} items")
        self.model = "recommender"
        self.revision: str | None = f"{len(users)} users, {len(self._items)} items"
        self._rows = {user: row for row, user in enumerate(users)}
        self._columns = {item: column for column, item in enumerate(self._items)}
        table = np.full((len(users), len(self._items)), np.nan)
        for user, item, value in ratings:
            table[self._rows[user], self._columns[item]] = value
        self._rated = ~np.isnan(table)
        means = np.nanmean(table, axis=1, keepdims=True)
        svd = TruncatedSVD(components, random_state=seed)
        directions = svd.fit_transform(np.where(self._rated, table - means, 0))
        self._scores = (directions @ svd.components_ + means).astype(np.float32)

    def prepare(self, inputs: Sequence[str], parameters: Parameters) -> list[Item]:
        """The row of each user. Raises InvalidInput for a user that is unknown."""
        return [Item(self._row(user), parameters) for user in inputs]

    def compute(self, batch: Sequence[Item]) -> list[list[Recommendation]]:
        """The best items for each user."""
        return [self._recommend(item.value, item.parameters) for item in batch]

    def rmse(self, ratings: Iterable[Rating]) -> float:
        """Root of the mean squared error over ratings whose user and item the model knows; NaN if there are none."""
        errors = [
            self._scores[self._rows[each.user], self._columns[each.item]] - each.value
            for each in ratings
            if each.user in self._rows and each.item in self._columns
        ]
        return float(np.sqrt(np.mean(np.square(errors)))) if errors else math.nan

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
        if user not in self._rows:
            raise InvalidInput(f"there is no user {user!r} among the {len(self._rows)} that the model knows")
        return self._rows[user]

    def _recommend(self, row: int, parameters: Parameters) -> list[Recommendation]:
        scores = self._scores[row]
        if not parameters.include_seen:
            scores = np.where(self._rated[row], -np.inf, scores)
        best = [index for index in np.argsort(-scores)[: parameters.top_k] if np.isfinite(scores[index])]
        return [Recommendation(item=self._items[index], score=round(float(scores[index]), 4)) for index in best]
