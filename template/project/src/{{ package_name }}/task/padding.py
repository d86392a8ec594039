"""Find out how a language model takes texts of unlike length in one batch."""

import math
from collections.abc import Callable, Sequence
from typing import Any, TypeVar

import torch

from ..errors import ModelUnavailableError

RowT = TypeVar("RowT")

TRIED_LENGTHS = (3, 11)
"""Lengths of two inputs that are computed alone and in one batch, in tokens."""

SAME = 1e-4
"""Largest difference of a number, relative to the largest number, that counts as none."""


def ignores_padding(rows: Sequence[RowT], compute: Callable[[Sequence[RowT]], Sequence[torch.Tensor]]) -> bool:
    """Return whether inputs of unlike length have the same outputs alone and in one batch.

    Args:
        rows: The inputs.
        compute: Returns the outputs for a batch, each with a row for each input.

    Raises:
        ModelUnavailableError: An input alone cannot be computed.
    """
    try:
        alone = [compute([row]) for row in rows]
    except Exception as error:  # networks raise exceptions of any kind
        reason = (str(error).strip().splitlines() or ["no reason given"])[0]
        raise ModelUnavailableError(f"the model cannot be computed: {type(error).__name__}: {reason}") from error
    try:
        together = compute(rows)
    except Exception:
        return False
    return all(
        is_alike(output[row], found[0])
        for row, outputs in enumerate(alone)
        for found, output in zip(outputs, together, strict=True)
    )


def padding_token(network: Any, tokenizer: Any) -> int:
    """Return the id of the padding token, or of a token that serves as one: the mask says which tokens are padding.

    A network that knows none is told, because some refuse batches otherwise, or look for the last token of a text that
    is not padding.
    """
    configured = getattr(network.config, "pad_token_id", None)
    last = min(len(tokenizer), getattr(network.config.get_text_config(), "vocab_size", len(tokenizer))) - 1
    spare = (tokenizer.pad_token_id, configured, tokenizer.eos_token_id, tokenizer.unk_token_id, last)
    chosen = next(each for each in spare if isinstance(each, int) and 0 <= each <= max(last, 0))
    if configured is None:
        network.config.pad_token_id = network.config.get_text_config().pad_token_id = chosen
    return chosen


def is_alike(one: torch.Tensor, other: torch.Tensor) -> bool:
    """Return whether two tensors have the same numbers, as far as both reach."""
    common = tuple(slice(0, min(sizes)) for sizes in zip(one.shape, other.shape, strict=True))
    scale = max(float(other.abs().max()), 1e-6)
    return math.isfinite(scale) and float((one[common] - other[common]).abs().max()) <= SAME * scale
