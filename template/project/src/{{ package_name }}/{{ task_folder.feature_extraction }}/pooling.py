"""Pool token vectors into the vector of a text, as sentence_transformers does."""

from collections.abc import Sequence

import torch


def pool(tokens: torch.Tensor, mask: torch.Tensor, modes: Sequence[str]) -> torch.Tensor:
    """Return vectors (batch, modes x width) from token vectors (batch, length, width) and mask (batch, length)."""
    weights = mask.unsqueeze(-1).to(tokens.dtype)
    total = (tokens * weights).sum(dim=1)
    count = weights.sum(dim=1).clamp(min=1e-9)
    rows = torch.arange(tokens.shape[0], device=tokens.device)
    pooled = []
    for mode in modes:
        if mode == "cls":
            pooled.append(tokens[rows, mask.argmax(dim=1)])
        elif mode == "max":
            pooled.append(tokens.masked_fill(weights == 0, float("-inf")).amax(dim=1))
        elif mode == "mean":
            pooled.append(total / count)
        elif mode == "mean_sqrt_len_tokens":
            pooled.append(total / count.sqrt())
        elif mode == "weightedmean":
            positions = mask.cumsum(dim=1).unsqueeze(-1) * weights
            pooled.append((tokens * positions).sum(dim=1) / positions.sum(dim=1).clamp(min=1e-9))
        elif mode == "lasttoken":
            pooled.append(tokens[rows, mask.shape[1] - 1 - mask.flip(1).argmax(dim=1)])
    return torch.cat(pooled, dim=1)
