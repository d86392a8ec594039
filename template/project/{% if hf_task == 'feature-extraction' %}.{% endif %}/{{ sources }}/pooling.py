"""From the vectors of tokens to that of their text: pooling, and the layers behind it, as in sentence_transformers."""

import json
from collections.abc import Sequence
from pathlib import Path

import torch

from .predictor import ModelUnavailable

ACTIVATIONS = {
    "torch.nn.modules.activation.Tanh": torch.nn.Tanh,
    "torch.nn.modules.activation.ReLU": torch.nn.ReLU,
    "torch.nn.modules.activation.GELU": torch.nn.GELU,
    "torch.nn.modules.linear.Identity": torch.nn.Identity,
}


def load_dense(folder: Path) -> torch.nn.Module:
    """A layer behind the pooling, with its weights. Raises ModelUnavailable."""
    try:
        options = json.loads((folder / "config.json").read_text("utf-8"))
    except (OSError, ValueError) as error:
        raise ModelUnavailable(f"{folder / 'config.json'} cannot be read: {error}") from None
    activation = options.get("activation_function", "torch.nn.modules.activation.Tanh")
    if activation not in ACTIVATIONS or options.get("use_residual"):
        raise ModelUnavailable(f"{folder} is a layer that only sentence-transformers computes")
    linear = torch.nn.Linear(options["in_features"], options["out_features"], bias=options.get("bias", True))
    if (folder / "model.safetensors").is_file():
        from safetensors.torch import load_file

        weights = load_file(folder / "model.safetensors")
    else:
        weights = torch.load(folder / "pytorch_model.bin", map_location="cpu", weights_only=True)
    linear.load_state_dict({name.removeprefix("linear."): value for name, value in weights.items()})
    return torch.nn.Sequential(linear, ACTIVATIONS[activation]()).eval()


def vector_width(hidden_size: int, modes: Sequence[str], dense: Sequence[torch.nn.Module]) -> int:
    """Numbers in a vector of a network with that hidden size, behind the pooling and those layers."""
    parts = [part for layer in dense for part in layer.modules()]
    outputs = [part.out_features for part in parts if isinstance(part, torch.nn.Linear)]
    return [hidden_size * len(modes), *outputs][-1]


def pool(tokens: torch.Tensor, mask: torch.Tensor, modes: Sequence[str]) -> torch.Tensor:
    """Vectors (batch, modes x width) from token vectors (batch, length, width) and their mask (batch, length)."""
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
