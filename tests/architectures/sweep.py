"""Compare every architecture with the pipeline of transformers: `python sweep.py TASK RUNTIME [ARCHITECTURE...]`.

Runs with the Python of a generated project. Prints a line of JSON for each architecture: its outcome, one of `agrees`,
`refused`, `untried` (transformers itself cannot compute it) and `fails`, and why.
"""

import inspect
import io
import json
import logging
import os
import sys
import tempfile
import traceback
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import torch
import transformers
from image_models import images, make_image_model
from PIL import Image
from tiny import LONGEST, make_model, make_tokenizer, takes_types, words
from transformers import pipeline
from transformers.models.auto import modeling_auto

TOLERANCE = 1e-4
"""Largest difference from the pipeline, relative to its largest number."""

CLASSES = {
    "text-classification": "AutoModelForSequenceClassification",
    "text-ranking": "AutoModelForSequenceClassification",
    "feature-extraction": "AutoModel",
    "fill-mask": "AutoModelForMaskedLM",
    "text-generation": "AutoModelForCausalLM",
    "image-classification": "AutoModelForImageClassification",
}
MAPPINGS = {
    "text-classification": "MODEL_FOR_SEQUENCE_CLASSIFICATION_MAPPING_NAMES",
    "feature-extraction": "MODEL_MAPPING_NAMES",
    "fill-mask": "MODEL_FOR_MASKED_LM_MAPPING_NAMES",
    "text-generation": "MODEL_FOR_CAUSAL_LM_MAPPING_NAMES",
    "text-ranking": "MODEL_FOR_SEQUENCE_CLASSIFICATION_MAPPING_NAMES",
    "image-classification": "MODEL_FOR_IMAGE_CLASSIFICATION_MAPPING_NAMES",
}

ALL_LABELS = 10_000
"""More labels than any model has."""

OPTIONS: dict[str, dict[str, Any]] = {
    "text-generation": {"max_new_tokens": 4},
    "fill-mask": {"top_k": 5},
    "image-classification": {"top_k": ALL_LABELS, "function_to_apply": "none"},
}
"""Parameters of the project's predictions."""


def architectures(task: str) -> list[str]:
    """Return the names of all architectures of a task; of feature-extraction, those that also read texts elsewhere."""
    found = set(getattr(modeling_auto, MAPPINGS[task]))
    if task == "feature-extraction":
        others = {MAPPINGS[task], MAPPINGS["image-classification"]}
        texts = {*MAPPINGS.values(), "MODEL_FOR_TEXT_ENCODING_MAPPING_NAMES"} - others
        found &= set().union(*(getattr(modeling_auto, name) for name in texts))
    return sorted(found)


def inputs_of(task: str) -> list[Any]:
    """Return inputs of unlike length or size, beside each other in a batch."""
    if task == "image-classification":
        return images()
    if task == "fill-mask":
        return [f"{words(3)} [MASK]", f"{words(2)} [MASK] {words(15, 3)}", f"[MASK] {words(6, 9)}"]
    if task == "text-ranking":
        return [(words(3), words(2, 5)), (words(4, 3), words(15, 9)), (words(1, 7), words(1, 2)), (words(5), words(7))]
    texts: list[Any] = [words(3), words(17, 3), words(1, 5), words(8, 9)]
    return texts + ([(words(4), words(7, 2))] if task == "text-classification" else [])


class Reference:
    """The pipeline of transformers, for one input at a time. A pair is ranked as CrossEncoder does it."""

    def __init__(self, task: str, folder: Path) -> None:
        self.task = task
        model: Any = str(folder)
        if task == "feature-extraction":
            model = self._encoder(folder)
        kind = "text-classification" if task == "text-ranking" else task
        options = {} if task == "image-classification" else {"tokenizer": str(folder)}
        self.pipeline = pipeline(kind, model=model, device="cpu", **options)

    @staticmethod
    def _encoder(folder: Path) -> Any:
        config = transformers.AutoConfig.from_pretrained(folder)
        encodes = type(config) in transformers.MODEL_FOR_TEXT_ENCODING_MAPPING
        auto_class = transformers.AutoModelForTextEncoding if encodes else transformers.AutoModel
        return auto_class.from_pretrained(folder, dtype=torch.float32)

    def predict(self, text: Any) -> Any:
        """Return the numbers that the project's answer must have, or its text."""
        if self.task == "image-classification":
            scores = self.pipeline(Image.open(io.BytesIO(text)), top_k=ALL_LABELS, function_to_apply="none")
            return {each["label"]: each["score"] for each in scores}
        if self.task == "text-classification":
            given = {"text": text[0], "text_pair": text[1]} if isinstance(text, tuple) else text
            return {each["label"]: each["score"] for each in self.pipeline(given, top_k=None)}
        if self.task == "text-ranking":
            with torch.inference_mode():
                logits = self.pipeline.model(**self._ranked(text)).logits
            return [torch.sigmoid(logits)[0, 0].item()]
        if self.task == "fill-mask":
            return [each["score"] for each in self.pipeline(text, top_k=5)]
        if self.task == "feature-extraction":
            return np.mean(self.pipeline(text)[0], axis=0).tolist()
        return self.pipeline(text, max_new_tokens=4, do_sample=False, return_full_text=False)[0]["generated_text"]

    def _ranked(self, pair: tuple[str, str]) -> dict[str, Any]:
        encoded = self.pipeline.tokenizer(*pair, return_tensors="pt")
        taken = inspect.signature(self.pipeline.model.forward).parameters
        return {name: tensor for name, tensor in encoded.items() if name in taken}


def answers(task: str, predictions: list[Any]) -> list[Any]:
    """Return the project's answers in the shape of those of `Reference`."""
    if task in ("text-classification", "image-classification"):
        return [{each["label"]: each["score"] for each in labels} for labels in predictions]
    if task == "fill-mask":
        return [[each["score"] for each in fills] for fills in predictions]
    if task == "text-ranking":
        return [[score] for score in predictions]
    if task == "text-generation":
        return [each["generated_text"] for each in predictions]
    return predictions


def difference(found: Any, expected: Any) -> float:
    """Return the largest difference of two answers, relative to the largest number of the second."""
    if isinstance(expected, str):
        return float(found != expected)
    if isinstance(expected, dict):
        names = sorted(expected)
        found, expected = [found[name] for name in names], [expected[name] for name in names]
    one, other = np.array(found), np.array(expected)
    if one.shape != other.shape:
        return float("inf")
    return float(np.abs(one - other).max() / max(float(np.abs(other).max()), 1e-9))


def try_architecture(task: str, runtime: str, kind: str, folder: Path) -> tuple[str, str]:
    """Return the outcome for an architecture, and why."""
    try:
        if task == "image-classification":
            make_image_model(folder, kind)
        else:
            labels = {"num_labels": 1} if task == "text-ranking" else {}
            network = make_model(folder, getattr(transformers, CLASSES[task]), kind, **labels)
            make_tokenizer(folder, None, takes_types(network))
        reference = Reference(task, folder)
        inputs = inputs_of(task)
        expected = [reference.predict(text) for text in inputs]
    except Exception as error:
        return "untried", _reason(error)
    if any(not np.isfinite(number) for answer in expected for number in _numbers(answer)):
        return "untried", "its numbers are not finite"

    from my_project.components import load_tried_model
    from my_project.errors import InvalidInputError, ModelUnavailableError
    from my_project.schemas import Parameters
    from my_project.settings import Settings

    chosen = {"model": str(folder), "runtime": runtime, "device": "cpu"}
    if task != "image-classification":
        chosen["max_padding"] = 64
    if runtime == "onnx":
        chosen |= {"exported": folder / "exported"}
    try:
        model = load_tried_model(Settings(**chosen))
    except ModelUnavailableError as error:
        return "refused", str(error).replace(str(folder), "FOLDER")
    options = OPTIONS.get(task, {})
    found = answers(task, model.predict(inputs, Parameters(**options)))
    for text, ours, theirs in zip(inputs, found, expected, strict=True):
        if (gap := difference(ours, theirs)) > TOLERANCE:
            return "fails", f"differs by {gap:.2g} for input {inputs.index(text) + 1}"
    if task == "image-classification":
        return "agrees", f"{len(inputs)} images"
    tokenizer = reference.pipeline.tokenizer
    limit = model._max_tokens if task == "text-generation" else model.tokenizer.facts.max_tokens
    counts = len(tokenizer("w1 w2")["input_ids"]) > len(tokenizer("w1")["input_ids"])  # some make another of its files
    if limit and limit <= 4 * LONGEST and counts:
        mask = " [MASK]" if task == "fill-mask" else ""
        first = ["w1"] if task == "text-ranking" else []
        added = len(tokenizer(*first, f"w1{mask}")["input_ids"]) - 1 + options.get("max_new_tokens", 0)
        words_at_limit = words(limit - added) + mask
        text, longer = ((*first, each) if first else each for each in (words_at_limit, f"w1 {words_at_limit}"))
        ours = answers(task, model.predict([text], Parameters(**options)))[0]
        if (gap := difference(ours, reference.predict(text))) > TOLERANCE:
            return "fails", f"differs by {gap:.2g} at the limit of {limit}"
        try:
            model.predict([longer], Parameters(**options))
        except InvalidInputError:
            pass
        else:
            return "fails", f"takes more than its limit of {limit}"
    return "agrees", f"limit {limit}"


def _numbers(answer: Any) -> list[float]:
    if isinstance(answer, str):
        return []
    return list(answer.values()) if isinstance(answer, dict) else list(answer)


def _reason(error: Exception) -> str:
    return f"{type(error).__name__}: {(str(error).strip().splitlines() or [''])[0]}"[:200]


def outcomes(task: str, runtime: str, kinds: list[str]) -> Iterator[dict[str, str]]:
    """Yield the outcome of each architecture."""
    for kind in kinds:
        with tempfile.TemporaryDirectory() as folder:
            try:
                outcome, reason = try_architecture(task, runtime, kind, Path(folder))
            except Exception as error:
                outcome, reason = "fails", _reason(error)
                if os.environ.get("SWEEP_TRACEBACK"):
                    traceback.print_exc()
        yield {"task": task, "runtime": runtime, "architecture": kind, "outcome": outcome, "reason": reason}


if __name__ == "__main__":
    chosen_task, chosen_runtime, *chosen_kinds = sys.argv[1:]
    warnings.simplefilter("ignore")
    logging.disable(logging.CRITICAL)
    transformers.logging.set_verbosity(transformers.logging.CRITICAL)
    transformers.logging.disable_progress_bar()
    for line in outcomes(chosen_task, chosen_runtime, chosen_kinds or architectures(chosen_task)):
        print(json.dumps(line), flush=True)
