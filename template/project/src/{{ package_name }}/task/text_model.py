"""What the models of all tasks that read texts share: limits of batches, tokens, padding and the warm-up."""

from collections.abc import Sequence
from typing import Any, Generic, Self

import numpy as np

from ..backends.base import Backend, BackendModel, ModelFiles
from ..base_settings import ServiceSettings
from ..inference.batching import BatchLimits, Item
from ..inference.model import InputT, OutputT, ParametersT
from .long_texts import Text, are_long
from .tokenizer import Encoded, TextTokenizer


class TextModel(BackendModel[InputT, ParametersT, OutputT], Generic[InputT, ParametersT, OutputT]):
    """A model that reads texts."""

    def __init__(self, files: ModelFiles, backend: Backend, limits: BatchLimits) -> None:
        super().__init__(files, backend, limits)
        self.tokenizer: TextTokenizer = files.preprocessor

    @classmethod
    def load(cls, files: ModelFiles, backend: Backend, settings: ServiceSettings) -> Self:
        """Return the model, ready to predict.

        Raises:
            ModelUnavailableError: The model cannot do this task.
        """
        limits = BatchLimits(settings.max_batch_size, settings.max_batch_tokens, settings.max_padding)
        return cls(files, backend, limits)

    def is_large(self, inputs: Sequence[Any]) -> bool:
        """Return whether the texts take long to tokenize. An input is a text, or several in a mapping or a tuple."""
        return are_long([tuple(each.values()) if isinstance(each, dict) else each for each in inputs])

    def items(self, texts: Sequence[Text], encoded: Sequence[Encoded], parameters: Any) -> list[Item]:
        """Return an item for each text. Those that the network cannot compute together are of different groups."""
        pads = self.tokenizer.facts.pads
        items = []
        for text, each in zip(texts, encoded, strict=True):
            length = len(each["input_ids"])
            # Networks that look for the end of a text want as many ends in each text of a batch; a pair has more.
            items.append(Item(each, parameters, length, (isinstance(text, tuple), None if pads else length)))
        return items

    def collate(self, items: Sequence[Item]) -> dict[str, np.ndarray]:
        """Return the padded inputs of the network."""
        return self.tokenizer.pad([item.value for item in items])

    def warm_up(self, inputs: Sequence[InputT], parameters: ParametersT) -> None:
        """Predict inputs as the superclass does, cut to what the model takes."""
        if hasattr(parameters, "truncate"):
            parameters = parameters.model_copy(update={"truncate": True})
        super().warm_up(inputs, parameters)
