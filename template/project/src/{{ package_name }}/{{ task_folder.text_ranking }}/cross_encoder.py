"""Read how a CrossEncoder of sentence-transformers was saved, from the model's own files."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

from ..errors import ModelUnavailableError
from ..inference.model_files import read_json
from .sentence_files import read_modules, read_transformer


@dataclass
class CrossEncoderConfig:
    """Configuration from modules.json and its folder; without them, the folder is a model of transformers."""

    transformer: str = ""
    """Folder of the transformer, relative to that of the model."""
    max_tokens: int | None = None
    """Length of the longest pair, in tokens; None leaves it to tokenizer and network."""

    @classmethod
    def read(cls, folder: Path) -> Self:
        """Return the configuration of the model in a folder.

        Raises:
            ModelUnavailableError: The model was saved with something that is not supported.
        """
        config = cls()
        for kind, path in read_modules(folder):
            if kind != "Transformer":
                raise ModelUnavailableError(f"{folder} has a module that is not supported: {kind}")
            config.transformer = path
        options = read_transformer(folder / config.transformer, "sequence-classification")
        if options.get("do_lower_case"):
            raise ModelUnavailableError(f"{folder} has an option that is not supported: do_lower_case")
        config.max_tokens = options.get("max_seq_length") or None
        _check(folder, read_json(folder / "config_sentence_transformers.json", {}))
        return config


def _check(folder: Path, options: dict[str, Any]) -> None:
    """Refuse a model of another type, or one that puts a prompt before its inputs."""
    if (kind := options.get("model_type", "CrossEncoder")) != "CrossEncoder":
        raise ModelUnavailableError(f"{folder} holds a {kind}, which ranks no pairs")
    name = options.get("default_prompt_name")
    if name and (options.get("prompts") or {}).get(name):
        raise ModelUnavailableError(f"{folder} has a default prompt, {name}, which is not supported")
