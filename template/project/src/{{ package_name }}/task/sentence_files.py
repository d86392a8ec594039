"""Read the files that sentence-transformers saves beside weights, as far as embeddings and rankings share them."""

from pathlib import Path
from typing import Any

from ..errors import ModelUnavailableError
from ..inference.model_files import read_json

LIBRARY = ("sentence_transformers.", "models.")
"""Beginnings of the names of modules that are the library's own. The second is that of tests/example.py."""

TRANSFORMER_FILES = tuple(
    f"sentence_{kind}_config.json"
    for kind in ("bert", "roberta", "distilbert", "camembert", "albert", "xlm-roberta", "xlnet")
)
"""Files that may hold the options of a transformer. The library reads the first one that is there."""

OUTPUTS = {"feature-extraction": "last_hidden_state", "sequence-classification": "logits"}
"""Tasks, with the output of the network that each of them reads."""

PASSED_ON = (
    *("model_args", "model_kwargs", "tokenizer_args", "processor_kwargs", "config_args", "config_kwargs"),
    "processing_kwargs",
)
"""Options with arguments of transformers, which may change the numbers."""

HARMLESS = ("attn_implementation", "device_map", "dtype", "torch_dtype", "trust_remote_code", "use_safetensors")
"""Such arguments that say how to compute, not what."""


def read_modules(folder: Path) -> list[tuple[str, str]]:
    """Return kind and folder of each module of a model, in order; none for a model of transformers alone.

    Raises:
        ModelUnavailableError: A module has code of its own.
    """
    modules = []
    for module in read_json(folder / "modules.json", []):
        if not (name := str(module["type"])).startswith(LIBRARY):
            raise ModelUnavailableError(f"{folder} has a module with code of its own, {name}, which is not run")
        modules.append((name.rpartition(".")[2], str(module["path"])))
    return modules


def read_transformer(folder: Path, task: str) -> dict[str, Any]:
    """Return the options that the transformer in a folder was saved with.

    Raises:
        ModelUnavailableError: It was saved for another task, or with an option that is not supported.
    """
    options: dict[str, Any] = next((found for name in TRANSFORMER_FILES if (found := read_json(folder / name, {}))), {})
    if (saved := options.get("transformer_task", task)) != task:
        raise ModelUnavailableError(f"{folder} was saved for {saved}, not for {task}")
    for name in PASSED_ON:
        if further := sorted(set(options.get(name) or {}) - {*HARMLESS}):
            raise ModelUnavailableError(f"{folder} has an option that is not supported: {further[0]} of {name}")
    if (read := options.get("modality_config")) is not None:
        if "message" in read:
            raise ModelUnavailableError(f"{folder} reads texts by a chat template, which is not supported")
        if (output := read.get("text", {}).get("method_output_name")) != OUTPUTS[task]:
            raise ModelUnavailableError(f"{folder} reads texts by {output}, which is not supported: {OUTPUTS[task]} is")
    return options
