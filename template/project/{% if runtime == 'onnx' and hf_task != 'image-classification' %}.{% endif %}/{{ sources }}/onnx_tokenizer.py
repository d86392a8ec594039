"""The exported model's tokenizer, without transformers."""

from collections.abc import Sequence
from typing import Literal

import numpy as np
from tokenizers import Tokenizer

from .exported import Exported
from .text_length import refuse_longer

FILE = "tokenizer.json"


class OnnxTokenizer:
    """Texts to ids, and ids to what a graph takes. For one thread at a time."""

    def __init__(self, exported: Exported) -> None:
        self.tokenizer: Tokenizer = Tokenizer.from_file(str(exported.folder / FILE))
        self.tokenizer.no_padding()
        self._longest: int = exported.facts["longest"]
        self._padding: int = exported.facts["padding"]
        self._left: bool = exported.facts["padding_side"] == "left"

    def encode(
        self,
        texts: Sequence[str],
        truncate: bool = False,
        direction: Literal["left", "right"] = "right",
        may_be_cut: bool = True,
    ) -> list[list[int]]:
        """The ids of each text. Raises InvalidInput for one that is longer than the model takes."""
        if truncate:
            self.tokenizer.enable_truncation(self._longest, direction=direction)
        else:
            self.tokenizer.no_truncation()
        ids = [each.ids for each in self.tokenizer.encode_batch_fast(list(texts))]
        refuse_longer(ids, self._longest, may_be_cut)
        return ids

    def pad(self, batch: Sequence[Sequence[int]]) -> dict[str, np.ndarray]:
        """Inputs of a graph, each (batch, length): the ids, and a mask that is 0 where they are padding."""
        length = max(map(len, batch))
        ids = np.full((len(batch), length), self._padding, np.int64)
        mask = np.zeros((len(batch), length), np.int64)
        for row, each in enumerate(batch):
            place = slice(length - len(each), None) if self._left else slice(len(each))
            ids[row, place] = each
            mask[row, place] = 1
        return {"input_ids": ids, "attention_mask": mask}
