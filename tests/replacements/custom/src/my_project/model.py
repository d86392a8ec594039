"""A classifier of irises."""

import json
import math
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Self

import joblib
import numpy as np
from sklearn.linear_model import LogisticRegression

from .base_settings import ServiceSettings
from .errors import InvalidInputError
from .inference.batching import Item
from .inference.model import InferenceModel, loading
from .irises import Iris
from .schemas import Input, Output, Parameters

FILE = "irises.joblib"
FIELDS = Iris._fields[:4]


class Model(InferenceModel[Input, Parameters, Output]):
    """A logistic regression of four lengths."""

    name = "irises"

    def __init__(self, regression: LogisticRegression) -> None:
        self.revision: str | None = None
        self._regression = regression

    @classmethod
    def load(cls, folder: Path, revision: str | None, settings: ServiceSettings) -> Self:
        """Return the model of a version."""
        with loading(folder / FILE) as path:
            model = cls(joblib.load(path))
        model.revision = revision
        return model

    @classmethod
    def fit(cls, irises: Sequence[Iris], inverse_regularization: float = 1) -> Self:
        """Return a model trained on irises."""
        regression = LogisticRegression(C=inverse_regularization, max_iter=1000)
        return cls(regression.fit([each[:4] for each in irises], [each.species for each in irises]))

    def save(self, folder: Path) -> None:
        """Write the file that `load` reads."""
        joblib.dump(self._regression, folder / FILE)

    @staticmethod
    def parse_text(text: str) -> Any:
        """Return the iris that an argument or a cell holds as JSON."""
        try:
            return json.loads(text)
        except ValueError as error:
            raise InvalidInputError(f"not JSON: {text[:50]!r}") from error

    def preprocess(self, inputs: Sequence[Input], parameters: Parameters) -> list[Item]:
        """Return the lengths of each iris."""
        return [Item(self._lengths(iris), parameters) for iris in inputs]

    def predict_batch(self, items: Sequence[Item]) -> list[Output]:
        """Return the species of each iris."""
        computed = self._regression.predict_proba(np.stack([item.value for item in items]))
        return [self._output(row, item.parameters) for row, item in zip(computed, items, strict=True)]

    def accuracy(self, irises: Sequence[Iris]) -> float:
        """Return the fraction of irises whose species is predicted."""
        return float(self._regression.score([each[:4] for each in irises], [each.species for each in irises]))

    @property
    def species(self) -> list[str]:
        """The species that the model tells apart."""
        return [str(each) for each in self._regression.classes_]

    def _lengths(self, iris: Any) -> np.ndarray:
        values = [iris.get(name) if isinstance(iris, dict) else None for name in FIELDS]
        if not all(isinstance(each, int | float) and math.isfinite(each) and each > 0 for each in values):
            raise InvalidInputError(f"an iris has positive numbers called {', '.join(FIELDS)}")
        return np.array(values, float)

    def _output(self, row: np.ndarray, parameters: Parameters) -> Output:
        rounded = (round(float(each), parameters.digits) for each in row)
        probabilities = dict(zip(self.species, rounded, strict=True))
        return {"species": self.species[int(row.argmax())], "probabilities": probabilities}
