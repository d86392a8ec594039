"""Read how a sentence-transformers model pools its tokens, from the model's own files.

Files and modes are those of sentence_transformers: modules.json, and a folder for each module.
"""

import json
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Self

from ..errors import InvalidParameterError, ModelUnavailableError

MODES = {
    "cls_token": "cls",
    "max_tokens": "max",
    "mean_tokens": "mean",
    "mean_sqrt_len_tokens": "mean_sqrt_len_tokens",
    "weightedmean_tokens": "weightedmean",
    "lasttoken": "lasttoken",
}
"""Pooling modes in the order of concatenation: old name, which follows `pooling_mode_`, to new name."""


LAYERS = ("Dense", "LayerNorm", "Normalize")
"""Modules that may follow the pooling."""

TASK = "feature-extraction"
"""What the transformer must have been saved for."""


@dataclass
class SentenceConfig:
    """Configuration from modules.json and its folders; without them, mean pooling without normalisation."""

    transformer: str = ""
    """Folder of the transformer, relative to that of the model."""
    pooling: tuple[str, ...] = ("mean",)
    layers: list[tuple[str, str]] = field(default_factory=list)
    """Kind and folder of each module behind the pooling, in order, without the last one if that normalises."""
    normalize: bool = False
    """Whether the last module scales vectors to length 1."""
    truncate_dim: int | None = None
    """Dimensions that are kept, after the last module."""
    max_tokens: int | None = None
    """Length of the longest input, in tokens; None leaves it to the tokenizer."""
    lower_case: bool = False
    prompts: dict[str, str] = field(default_factory=dict)
    default_prompt: str | None = None

    @classmethod
    def read(cls, folder: Path) -> Self:
        """Return the configuration of the model in a folder.

        Raises:
            ModelUnavailableError: The model has a module that is not supported.
        """
        config = cls()
        pooled = False
        for module in _json(folder / "modules.json", []):
            kind, path = module["type"].rpartition(".")[2], module["path"]
            if kind == "Transformer":
                config._read_transformer(folder / path, path)
            elif kind == "Pooling":
                config.pooling, pooled = _pooling(_json(folder / path / "config.json", {})), True
            elif kind in LAYERS and pooled:
                config.layers.append((kind, path))
            elif kind != "Dropout":  # which does nothing once a model is trained
                raise ModelUnavailableError(f"{folder} has a module that is not supported: {kind}")
        config.normalize = bool(config.layers) and config.layers[-1][0] == "Normalize"
        if config.normalize:
            config.layers.pop()
        options = _json(folder / "config_sentence_transformers.json", {})
        if (kind := options.get("model_type", "SentenceTransformer")) != "SentenceTransformer":
            raise ModelUnavailableError(f"{folder} holds a {kind}, which gives no sentence embeddings")
        config.prompts = {name: text for name, text in (options.get("prompts") or {}).items() if text is not None}
        config.default_prompt = options.get("default_prompt_name")
        config.truncate_dim = options.get("truncate_dim")
        return config

    def _read_transformer(self, folder: Path, path: str) -> None:
        names = ("sentence_bert_config.json", "sentence_roberta_config.json", "sentence_xlnet_config.json")
        options: dict[str, Any] = next((found for name in names if (found := _json(folder / name, {}))), {})
        if (task := options.get("transformer_task", TASK)) != TASK:
            raise ModelUnavailableError(f"{folder} was saved for {task}, not for {TASK}")
        self.transformer = path
        self.max_tokens = options.get("max_seq_length") or None
        self.lower_case = options.get("do_lower_case", False)

    def prompt(self, name: str | None) -> str:
        """Return the text to put before every input.

        Raises:
            InvalidParameterError: The model has no prompt of that name.
        """
        name = name or self.default_prompt
        if name is None:
            return ""
        if name not in self.prompts:
            known = ", ".join(self.prompts) or "no prompts"
            raise InvalidParameterError(f"prompt_name: there is no prompt {name!r}; the model defines {known}")
        return self.prompts[name]


def _json(path: Path, default: Any) -> Any:
    try:
        return json.loads(path.read_text("utf-8")) if path.is_file() else default
    except ValueError as error:
        raise ModelUnavailableError(f"{path} is not JSON: {error}") from None


def _pooling(options: dict[str, Any]) -> tuple[str, ...]:
    if options.get("include_prompt", True) is False:
        raise ModelUnavailableError("the model pools without its prompt, which is not supported")
    modes = options.get("pooling_mode") or [new for old, new in MODES.items() if options.get(f"pooling_mode_{old}")]
    modes = (modes,) if isinstance(modes, str) else tuple(modes) or ("mean",)
    if unknown := set(modes) - set(MODES.values()):
        raise ModelUnavailableError(f"pooling by {', '.join(unknown)} is not supported")
    return modes
