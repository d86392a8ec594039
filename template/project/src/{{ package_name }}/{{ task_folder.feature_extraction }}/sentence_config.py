"""Read how a sentence-transformers model pools its tokens, from the model's own files.

Files and modes are those of sentence_transformers: modules.json, and a folder for each module.
"""

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Self

from ..errors import InvalidParameterError, ModelUnavailableError
from ..inference.model_files import read_json
from .sentence_files import read_modules, read_transformer

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

NAMED_PROMPTS = ("query", "document")
"""Prompts that every model has; they are empty unless it was saved with others."""


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
            ModelUnavailableError: The model has a module or an option that is not supported, or names a prompt that it
                lacks.
        """
        config = cls()
        pooled = False
        for kind, path in read_modules(folder):
            if kind == "Transformer":
                config._read_transformer(folder / path, path)
            elif kind == "Pooling":
                config.pooling, pooled = _pooling(read_json(folder / path / "config.json", {})), True
            elif kind in LAYERS and pooled:
                config.layers.append((kind, path))
            elif kind != "Dropout":  # which does nothing once a model is trained
                raise ModelUnavailableError(f"{folder} has a module that is not supported: {kind}")
        config.normalize = bool(config.layers) and config.layers[-1][0] == "Normalize"
        if config.normalize:
            config.layers.pop()
        options = read_json(folder / "config_sentence_transformers.json", {})
        if (kind := options.get("model_type", "SentenceTransformer")) != "SentenceTransformer":
            raise ModelUnavailableError(f"{folder} holds a {kind}, which gives no sentence embeddings")
        saved = {name: text for name, text in (options.get("prompts") or {}).items() if text is not None}
        config.prompts = dict.fromkeys(NAMED_PROMPTS, "") | saved
        config.default_prompt = options.get("default_prompt_name")
        if config.default_prompt and config.default_prompt not in config.prompts:
            raise ModelUnavailableError(f"{folder} lacks its default prompt {config.default_prompt!r}: define it")
        config.truncate_dim = options.get("truncate_dim")
        return config

    def _read_transformer(self, folder: Path, path: str) -> None:
        options = read_transformer(folder, "feature-extraction")
        self.transformer = path
        self.max_tokens = options.get("max_seq_length") or None
        self.lower_case = options.get("do_lower_case", False)

    def prompt(self, name: str | None) -> str:
        """Return the text to put before every input.

        Raises:
            InvalidParameterError: The model has no prompt of that name.
        """
        name = name or self.default_prompt
        if not name:
            return ""
        if name not in self.prompts:
            known = ", ".join(sorted(self.prompts))
            raise InvalidParameterError(f"prompt_name: there is no prompt {name!r}; the model defines {known}")
        return self.prompts[name]


def _pooling(options: dict[str, Any]) -> tuple[str, ...]:
    if options.get("include_prompt", True) is False:
        raise ModelUnavailableError("the model pools without its prompt, which is not supported")
    modes = options.get("pooling_mode") or [new for old, new in MODES.items() if options.get(f"pooling_mode_{old}")]
    modes = (modes,) if isinstance(modes, str) else tuple(modes) or ("mean",)
    if unknown := set(modes) - set(MODES.values()):
        raise ModelUnavailableError(f"pooling by {', '.join(unknown)} is not supported")
    return modes
