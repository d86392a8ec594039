"""Pool token vectors into the vector of a text, and apply dense layers, as sentence_transformers does."""

import json
from collections.abc import Sequence
from pathlib import Path

import torch

from ..errors import ModelUnavailableError

ACTIVATIONS = {
    "torch.nn.modules.activation.Tanh": torch.nn.Tanh,
    "torch.nn.modules.activation.ReLU": torch.nn.ReLU,
    "torch.nn.modules.activation.GELU": torch.nn.GELU,
    "torch.nn.modules.linear.Identity": torch.nn.Identity,
}


def load_dense(folder: Path) -> torch.nn.Module:
    """Return the dense layer in a folder, with its weights.

    Raises:
        ModelUnavailableError: The layer is not supported, or its files cannot be read.
    """
    try:
        options = json.loads((folder / "config.json").read_text("utf-8"))
    except (OSError, ValueError) as error:
        raise ModelUnavailableError(f"{folder / 'config.json'} cannot be read: {error}") from None
    activation = options.get("activation_function", "torch.nn.modules.activation.Tanh")
    if activation not in ACTIVATIONS or options.get("use_residual"):
        raise ModelUnavailableError(f"{folder} has a layer that is not supported: {activation}")
    linear = torch.nn.Linear(options["in_features"], options["out_features"], bias=options.get("bias", True))
    if (folder / "model.safetensors").is_file():
        from safetensors.torch import load_file

        weights = load_file(folder / "model.safetensors")
    else:
        weights = torch.load(folder / "pytorch_model.bin", map_location="cpu", weights_only=True)
    linear.load_state_dict({name.removeprefix("linear."): value for name, value in weights.items()})
    return torch.nn.Sequential(linear, ACTIVATIONS[activation]()).eval()


def vector_width(hidden_size: int, modes: Sequence[str], dense: Sequence[torch.nn.Module]) -> int:
    """Return the dimensions of a vector after pooling and dense layers."""
    parts = [part for layer in dense for part in layer.modules()]
    outputs = [part.out_features for part in parts if isinstance(part, torch.nn.Linear)]
    return [hidden_size * len(modes), *outputs][-1]


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
