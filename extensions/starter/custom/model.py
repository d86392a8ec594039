"""Your model: an example that recommends items. Updates never touch this file."""

import math
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Self

import joblib
import numpy as np
from sklearn.decomposition import TruncatedSVD

from .base_settings import ServiceSettings
from .errors import InvalidInputError
from .inference.batching import Item
from .inference.model import InferenceModel, loading
from .ratings import Rating
from .schemas import Output, Parameters, Recommendation

FILE = "recommender.joblib"
"""Name of the model's file in a version."""


class Model(InferenceModel[str, Parameters, Output]):
    """Predict ratings from their main components (truncated singular value decomposition).

    Args:
        users: Name of each row.
        items: Name of each column.
        scores: Predicted ratings, (users, items).
        rated: Whether the user has rated the item, (users, items).
    """

    name = "recommender"

    def __init__(self, users: list[str], items: list[str], scores: np.ndarray, rated: np.ndarray) -> None:
        """Keep the parts of a trained model."""
        self.revision: str | None = None
        self._users, self._items, self._scores, self._rated = users, items, scores, rated
        self._rows = {user: row for row, user in enumerate(users)}
        self._columns = {item: column for column, item in enumerate(items)}

    @classmethod
    def load(cls, folder: Path, revision: str | None, settings: ServiceSettings) -> Self:
        """Return the model of a version, ready to predict. Unpickling runs code: load only files that you trust.

        Raises:
            ModelUnavailableError: The folder has no model, or one that cannot be loaded.
        """
        with loading(folder / FILE) as path:
            model = cls(**joblib.load(path))
        model.revision = revision
        return model

    @classmethod
    def fit(cls, ratings: Sequence[Rating], components: int = 4, seed: int = 0) -> Self:
        """Return a model trained on ratings.

        Raises:
            InvalidInputError: There are fewer users or items than components.
        """
        users, rows = np.unique([each.user for each in ratings], return_inverse=True)
        items, columns = np.unique([each.item for each in ratings], return_inverse=True)
        if components > min(len(users), len(items)):
            raise InvalidInputError(f"{components} components are more than {len(users)} users and {len(items)} items")
        table = np.full((len(users), len(items)), np.nan)
        table[rows, columns] = [each.rating for each in ratings]
        rated = ~np.isnan(table)
        means = np.nanmean(table, axis=1, keepdims=True)
        svd = TruncatedSVD(components, random_state=seed)
        reduced = svd.fit_transform(np.where(rated, table - means, 0))
        scores = (reduced @ svd.components_ + means).astype(np.float32)
        return cls(users.tolist(), items.tolist(), scores, rated)

    def save(self, folder: Path) -> None:
        """Write the file that `load` reads."""
        state = {"users": self._users, "items": self._items, "scores": self._scores, "rated": self._rated}
        joblib.dump(state, folder / FILE)

    def preprocess(self, inputs: Sequence[str], parameters: Parameters) -> list[Item]:
        """Return the row of each user.

        Raises:
            InvalidInputError: The model does not know a user.
        """
        return [Item(self._row(user), parameters) for user in inputs]

    def predict_batch(self, items: Sequence[Item]) -> list[Output]:
        """Return the best items for each user."""
        return [self._recommend(item.value, item.parameters) for item in items]

    def rmse(self, ratings: Iterable[Rating]) -> float:
        """Return the root mean squared error over the ratings whose user and item are known; NaN if there are none."""
        errors = [
            self._scores[self._rows[each.user], self._columns[each.item]] - each.rating
            for each in ratings
            if each.user in self._rows and each.item in self._columns
        ]
        return float(np.sqrt(np.mean(np.square(errors)))) if errors else math.nan

    def _row(self, user: str) -> int:
        if user not in self._rows:
            raise InvalidInputError(f"there is no user {user!r} among the {len(self._rows)} that the model knows")
        return self._rows[user]

    def _recommend(self, row: int, parameters: Parameters) -> Output:
        scores = self._scores[row]
        if not parameters.include_seen:
            scores = np.where(self._rated[row], -np.inf, scores)
        best = [index for index in np.argsort(-scores)[: parameters.top_k] if np.isfinite(scores[index])]
        return [Recommendation(item=self._items[index], score=round(float(scores[index]), 4)) for index in best]
