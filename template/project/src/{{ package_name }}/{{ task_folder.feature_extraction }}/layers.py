"""Layers behind the pooling of sentence embeddings, with the files and results of sentence_transformers."""

import json
from abc import ABC, abstractmethod
from pathlib import Path
from typing import Any, Self

import torch
from safetensors.torch import load_file, save_file
from torch import nn

from ..errors import ModelUnavailableError

CONFIG_FILE, WEIGHTS_FILE, OLD_WEIGHTS_FILE = "config.json", "model.safetensors", "pytorch_model.bin"


class Layer(nn.Module, ABC):
    """A layer from vectors (batch, width) to vectors, whose weights are in a folder of the model."""

    @classmethod
    @abstractmethod
    def build(cls, options: dict[str, Any]) -> Self:
        """Return the layer of a configuration, without weights.

        Raises:
            KeyError: The configuration lacks a value.
            ValueError: The configuration has a value that is not supported.
        """

    @classmethod
    def load(cls, folder: Path) -> Self:
        """Return the layer in a folder, with its weights.

        Raises:
            ModelUnavailableError: The layer is not supported, or its files cannot be read.
        """
        try:
            path = folder / CONFIG_FILE
            layer = cls.build(json.loads(path.read_text("utf-8")) if path.is_file() else {})
            if layer.state_dict():
                layer.load_state_dict(_read_weights(folder))
        except (OSError, ValueError, KeyError, RuntimeError) as error:
            reason = str(error).strip().splitlines()[0]
            raise ModelUnavailableError(f"{folder} cannot be loaded: {type(error).__name__}: {reason}") from None
        return layer.eval()

    def save(self, folder: Path) -> None:
        """Write the weights, if there are any, beside the configuration."""
        if weights := self.state_dict():
            save_file({name: value.contiguous() for name, value in weights.items()}, folder / WEIGHTS_FILE)


class Dense(Layer):
    """A linear layer with an activation function. `residual` adds the input, as it is or by a second linear layer."""

    def __init__(self, linear: nn.Linear, activation: nn.Module, residual: nn.Linear | None, adds_input: bool) -> None:
        super().__init__()
        self.linear, self.activation, self.adds_input = linear, activation, adds_input
        if residual is not None:
            self.residual = residual

    @classmethod
    def build(cls, options: dict[str, Any]) -> Self:
        """Return the layer of a configuration, without weights."""
        width, out, residual = options["in_features"], options["out_features"], options.get("use_residual", False)
        source = options.get("module_input_name", "sentence_embedding")
        target = options.get("module_output_name") or source
        if (source, target) != ("sentence_embedding", "sentence_embedding"):
            raise ValueError(f"a layer from {source} to {target} is not supported")
        projection = nn.Linear(width, out, bias=False) if residual and width != out else None
        linear = nn.Linear(width, out, bias=options.get("bias", True))
        activation = options.get("activation_function", "torch.nn.modules.activation.Tanh")
        return cls(linear, _activation(activation), projection, residual)

    def forward(self, vectors: torch.Tensor) -> torch.Tensor:
        """Return the vectors of the layer."""
        found: torch.Tensor = self.activation(self.linear(vectors))
        if not self.adds_input:
            return found
        return found + (self.residual(vectors) if hasattr(self, "residual") else vectors)


class LayerNorm(Layer):
    """Vectors scaled to mean 0 and variance 1."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.norm = nn.LayerNorm(width)

    @classmethod
    def build(cls, options: dict[str, Any]) -> Self:
        """Return the layer of a configuration, without weights."""
        return cls(options["dimension"])

    def forward(self, vectors: torch.Tensor) -> torch.Tensor:
        """Return the vectors of the layer."""
        found: torch.Tensor = self.norm(vectors)
        return found


class Normalize(Layer):
    """Vectors scaled to length 1."""

    @classmethod
    def build(cls, options: dict[str, Any]) -> Self:
        """Return the layer."""
        return cls()

    def forward(self, vectors: torch.Tensor) -> torch.Tensor:
        """Return the vectors of the layer."""
        return nn.functional.normalize(vectors)


LAYERS: dict[str, type[Layer]] = {"Dense": Dense, "LayerNorm": LayerNorm, "Normalize": Normalize}
"""Layers by the name of their class in sentence_transformers."""


def _activation(name: str) -> nn.Module:
    """Return the activation function of torch with that name, such as torch.nn.modules.activation.Tanh."""
    found = getattr(nn, name.rpartition(".")[2], None)
    if not name.startswith("torch.nn.") or not (isinstance(found, type) and issubclass(found, nn.Module)):
        raise ValueError(f"the activation function {name} is not supported")
    return found()


def _read_weights(folder: Path) -> dict[str, torch.Tensor]:
    if (folder / WEIGHTS_FILE).is_file():
        return load_file(folder / WEIGHTS_FILE)
    weights: dict[str, torch.Tensor] = torch.load(folder / OLD_WEIGHTS_FILE, map_location="cpu", weights_only=True)
    return weights
