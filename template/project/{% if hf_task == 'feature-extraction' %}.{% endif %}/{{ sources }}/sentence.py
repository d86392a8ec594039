"""How a sentence-transformers model makes a vector from its tokens, read from the model's own files.

The files and the modes are those of sentence_transformers.models (modules.json, Pooling, Dense, Normalize).
"""

import json
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Self

from .predictor import InvalidParameter, ModelUnavailable

MODES = {
    "cls_token": "cls",
    "max_tokens": "max",
    "mean_tokens": "mean",
    "mean_sqrt_len_tokens": "mean_sqrt_len_tokens",
    "weightedmean_tokens": "weightedmean",
    "lasttoken": "lasttoken",
}
"""Old names of the pooling modes, each behind `pooling_mode_`, and the new ones; in the order of concatenation."""


@dataclass
class SentenceConfig:
    """What modules.json and the files beside it say; without them mean pooling and no normalisation."""

    transformer: str = ""
    """Folder of the transformer, within the model's."""
    pooling: tuple[str, ...] = ("mean",)
    dense_folders: list[str] = field(default_factory=list)
    normalize: bool = False
    max_tokens: int = 1_000_000
    lower_case: bool = False
    prompts: dict[str, str] = field(default_factory=dict)
    default_prompt: str | None = None

    @classmethod
    def read(cls, folder: Path) -> Self:
        """The configuration of the model in a folder. Raises ModelUnavailable for a kind of module unknown here."""
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
                raise ModelUnavailable(f"{folder} has a module that only sentence-transformers computes: {kind}")
        options = _json(folder / "config_sentence_transformers.json", {})
        config.prompts = options.get("prompts") or {}
        config.default_prompt = options.get("default_prompt_name")
        return config

    def prompt(self, name: str | None) -> str:
        """Text to put before every input. Raises InvalidParameter for a name that the model does not define."""
        name = name or self.default_prompt
        if name is None:
            return ""
        if name not in self.prompts:
            known = ", ".join(self.prompts) or "no prompts"
            raise InvalidParameter(f"prompt_name: there is no prompt {name!r}; the model defines {known}")
        return self.prompts[name]


def _json(path: Path, default: Any) -> Any:
    try:
        return json.loads(path.read_text("utf-8")) if path.is_file() else default
    except ValueError as error:
        raise ModelUnavailable(f"{path} is not JSON: {error}") from None


def _pooling(options: dict[str, Any]) -> tuple[str, ...]:
    if options.get("include_prompt", True) is False:
        raise ModelUnavailable("the model pools without its prompt, which only sentence-transformers computes")
    modes = options.get("pooling_mode") or [new for old, new in MODES.items() if options.get(f"pooling_mode_{old}")]
    modes = (modes,) if isinstance(modes, str) else tuple(modes) or ("mean",)
    if unknown := set(modes) - set(MODES.values()):
        raise ModelUnavailable(f"the model pools by {', '.join(unknown)}, which is unknown here")
    return modes
