"""Text ranking: a score for a query and a text, as a CrossEncoder gives it."""

import json
from collections.abc import Mapping, Sequence
from typing import Any, ClassVar

import numpy as np
from pydantic import TypeAdapter, ValidationError

from ..backends.base import Backend, ModelFiles
from ..errors import InvalidInputError
from ..inference.batching import BatchLimits, Item
from .activation import activate
from .schemas import Input, Output, TextRankingParameters, to_pair
from .text_model import TextModel


class TextRankingModel(TextModel[Input, Any, Any]):
    """Pairs of a query and a text to scores."""

    columns: ClassVar[tuple[str, ...]] = ("query", "text")

    def __init__(self, files: ModelFiles, backend: Backend, limits: BatchLimits) -> None:
        super().__init__(files, backend, limits)
        self.function: str = files.facts["function"]
        """How logits become scores, unless raw scores are asked for."""

    @staticmethod
    def parse_text(text: str) -> Any:
        """Return the pair in a text: query and text with a tab between them, or JSON as clients send it.

        Raises:
            InvalidInputError: The text holds no pair.
        """
        query, tab, rest = text.partition("\t")
        try:
            pair: Any = (query, rest) if tab else json.loads(text)
            return TypeAdapter(Input).validate_python(pair)
        except ValueError as error:  # not JSON, or not a pair
            reason = error.errors()[0]["msg"] if isinstance(error, ValidationError) else "no tab and no JSON"
            hint = 'write {"query": "…", "text": "…"}, or both with a tab between them'
            raise InvalidInputError(f"not a pair: {reason}; {hint}") from None

    def preprocess(self, inputs: Sequence[Input], parameters: TextRankingParameters) -> list[Item]:
        """Return the tokens of each pair.

        Raises:
            InvalidInputError: A pair is too long.
        """
        pairs = [to_pair(each) for each in inputs]
        encoded = self.tokenizer.encode(pairs, parameters.truncate, parameters.truncation_direction)
        return self.items(pairs, encoded, parameters)

    def postprocess(self, outputs: Mapping[str, np.ndarray], items: Sequence[Item]) -> list[Output]:
        """Return the score of each pair."""
        logits = outputs["logits"].astype(np.float64)
        scores = activate(logits[:, None], self.function)[:, 0]
        return [
            float(logit if item.parameters.raw_scores else score)
            for logit, score, item in zip(logits, scores, items, strict=True)
        ]
