"""Read how a sentence-transformers model pools its tokens, from the model's own files.

Files and modes are those of sentence_transformers.models: modules.json, Pooling, Dense, Normalize.
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


@dataclass
class SentenceConfig:
    """Configuration from modules.json and its folders; without them, mean pooling without normalisation."""

    transformer: str = ""
    """Folder of the transformer, relative to that of the model."""
    pooling: tuple[str, ...] = ("mean",)
    dense_folders: list[str] = field(default_factory=list)
    normalize: bool = False
    max_tokens: int = 1_000_000
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
        for module in _json(folder / "modules.json", []):
            kind = module["type"].rpartition(".")[2]
            if kind == "Transformer":
                config.transformer = module["path"]
                options = _json(folder / module["path"] / "sentence_bert_config.json", {})
                config.max_tokens = options.get("max_seq_length") or config.max_tokens
                config.lower_case = options.get("do_lower_case", False)
            elif kind == "Pooling":
                config.pooling = _pooling(_json(folder / module["path"] / "config.json", {}))
            elif kind == "Dense":
                config.dense_folders.append(module["path"])
            elif kind == "Normalize":
                config.normalize = True
            else:
                raise ModelUnavailableError(f"{folder} has a module that is not supported: {kind}")
        options = _json(folder / "config_sentence_transformers.json", {})
        config.prompts = options.get("prompts") or {}
        config.default_prompt = options.get("default_prompt_name")
        return config

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
