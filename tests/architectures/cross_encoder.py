"""Compare the scores of text-ranking with CrossEncoder: `python cross_encoder.py RUNTIME [ARCHITECTURE...]`.

Runs with the Python of a generated project of `hf_task=text-ranking`, with sentence-transformers beside. Prints a line
of JSON for each architecture and activation function: the largest difference of a score, that of pairs which are cut to
the model's limit, and the distance between the highest and the lowest score.
"""

import json
import logging
import sys
import tempfile
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import torch
import transformers
from sentence_transformers import CrossEncoder
from tiny import LONGEST, make_model, make_tokenizer, takes_types, words
from transformers import AutoModelForSequenceClassification

ARCHITECTURES = ("bert", "distilbert", "electra", "deberta-v2", "xlm-roberta", "modernbert", "gpt2", "qwen3")
ACTIVATIONS = {"Identity": torch.nn.Identity, "Sigmoid": torch.nn.Sigmoid}

PAIRS = [(words(3), words(2, 5)), (words(5, 3), words(20, 9)), (words(1, 7), words(1, 2)), (words(4), words(9, 4))]
LONG = [(words(4), words(3 * LONGEST, 5)), (words(3 * LONGEST), words(7, 3))]


def compare(kind: str, activation: str, runtime: str, folder: Path) -> dict[str, Any]:
    """Return the largest differences for an architecture whose CrossEncoder has that activation function."""
    from my_project.components import load_tried_model
    from my_project.schemas import Parameters
    from my_project.settings import Settings

    made, saved = folder / "made", folder / "saved"
    network = make_model(made, AutoModelForSequenceClassification, kind, num_labels=1)
    make_tokenizer(made, LONGEST, takes_types(network))
    reference = CrossEncoder(str(made), device="cpu", activation_fn=ACTIVATIONS[activation]())
    reference.save_pretrained(str(saved))
    reference = CrossEncoder(str(saved), device="cpu")  # as its users load it
    chosen = {"model": str(saved), "device": "cpu", "max_padding": 64, "exported": folder / "exported"}
    model = load_tried_model(Settings(**chosen, runtime=runtime))

    def difference(pairs: list[tuple[str, str]]) -> float:
        expected = reference.predict(pairs, batch_size=2)
        found = model.predict(pairs, Parameters(truncate=True))
        return max(abs(one - float(other)) for one, other in zip(found, expected, strict=True))

    scores = reference.predict(PAIRS)
    return {"difference": difference(PAIRS), "cut": difference(LONG), "spread": float(scores.max() - scores.min())}


def comparisons(runtime: str, kinds: list[str]) -> Iterator[dict[str, Any]]:
    """Yield the comparison of each architecture with each activation function."""
    for kind in kinds:
        for activation in ACTIVATIONS:
            with tempfile.TemporaryDirectory() as folder:
                yield {
                    "architecture": kind,
                    "activation": activation,
                    **compare(kind, activation, runtime, Path(folder)),
                }


if __name__ == "__main__":
    chosen_runtime, *chosen_kinds = sys.argv[1:]
    warnings.simplefilter("ignore")
    logging.disable(logging.CRITICAL)
    transformers.logging.set_verbosity(transformers.logging.CRITICAL)
    transformers.logging.disable_progress_bar()
    for line in comparisons(chosen_runtime, chosen_kinds or list(ARCHITECTURES)):
        print(json.dumps(line), flush=True)
