"""What the torch predictors share: loading, choosing the device, making scores."""

from pathlib import Path
from typing import Any

import torch
from transformers.utils import logging as transformers_logging

from .predictor import ModelUnavailable
from .settings import Settings


def choose_device(name: str) -> torch.device:
    """The device of that name; `auto` is the best one present. Raises ModelUnavailable if there is none."""
    if name == "auto":
        if torch.cuda.is_available():
            return torch.device("cuda")
        return torch.device("mps" if torch.backends.mps.is_available() else "cpu")
    try:
        device = torch.device(name)
        torch.empty(0, device=device)
    except (RuntimeError, AssertionError) as error:
        reason = str(error).splitlines()[0]
        raise ModelUnavailable(f"device {name} cannot be used: {reason}") from None
    return device


def load(auto_class: Any, folder: Path, **options: Any) -> Any:
    """`auto_class.from_pretrained(folder)`, never from the network. Raises ModelUnavailable."""
    transformers_logging.disable_progress_bar()
    transformers_logging.disable_default_handler()  # the process decides how it logs
    transformers_logging.enable_propagation()
    try:
        return auto_class.from_pretrained(folder, local_files_only=True, **options)
    except (OSError, ValueError, KeyError, RuntimeError, ImportError) as error:
        reason = str(error).strip().splitlines()
        raise ModelUnavailable(f"{folder} cannot be loaded: {reason[0] if reason else type(error).__name__}") from None


def load_network(auto_class: Any, folder: Path, settings: Settings) -> Any:
    """The network, in evaluation mode on the settings' device. Raises ModelUnavailable."""
    device = choose_device(settings.device)
    return load(auto_class, folder, dtype=torch.float32).to(device).eval()


def longest_input(tokenizer: Any, network: Any) -> int:
    """Tokens of the longest input that tokenizer and network take."""
    positions = getattr(network.config, "max_position_embeddings", None) or tokenizer.model_max_length
    padding = getattr(network.config, "pad_token_id", None)
    if network.config.model_type in ("roberta", "xlm-roberta", "camembert", "mpnet", "esm") and padding is not None:
        positions -= padding + 1  # these number positions from behind the padding token
    return min(tokenizer.model_max_length, positions)


def scores_of(logits: torch.Tensor, function: str | None, several_labels: bool) -> torch.Tensor:
    """Scores from logits, of the same shape: sigmoid, softmax or none; None chooses by the model's kind."""
    if function == "sigmoid" or (function is None and several_labels):
        return logits.sigmoid()
    if function == "none":
        return logits
    return logits.softmax(dim=-1)
