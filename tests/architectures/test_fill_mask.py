"""Masks are filled as transformers' pipeline does."""

from pathlib import Path

import pytest
from conftest import Load
from tiny import LONGEST, make_model, make_tokenizer, words
from transformers import AutoModelForMaskedLM, pipeline

from my_project.schemas import Parameters

TEXTS = [f"{words(3)} [MASK]", f"{words(2)} [MASK] {words(15, 3)}", f"[MASK] {words(6, 9)}"]


@pytest.mark.parametrize("kind", ["bert", "roberta", "fnet", "deberta-v2", "electra"])
def test_texts_of_unlike_length(load: Load, tmp_path: Path, kind: str) -> None:
    make_model(tmp_path, AutoModelForMaskedLM, kind)
    make_tokenizer(tmp_path, LONGEST, types=kind != "roberta")
    fill = pipeline("fill-mask", model=str(tmp_path), device="cpu")
    found = load(tmp_path).predict(TEXTS, Parameters(top_k=5))
    for text, fills in zip(TEXTS, found, strict=True):
        wanted = fill(text, top_k=5)
        assert [each["token_str"] for each in fills] == [each["token_str"] for each in wanted]
        assert [each["score"] for each in fills] == pytest.approx([each["score"] for each in wanted], rel=1e-3)
