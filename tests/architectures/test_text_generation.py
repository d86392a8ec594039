"""Prompts are continued as transformers' pipeline does, whatever the tokenizer lacks."""

import json
from pathlib import Path
from typing import Any

import pytest
from tiny import WORDS, make_model, words
from tokenizers import Tokenizer
from tokenizers.models import WordLevel
from tokenizers.pre_tokenizers import WhitespaceSplit
from transformers import AutoModelForCausalLM, PreTrainedTokenizerFast, pipeline

from my_project.components import load_tried_model
from my_project.errors import InvalidInputError, ModelUnavailableError
from my_project.schemas import Parameters
from my_project.settings import Settings

PROMPTS = [words(3), words(20, 3), words(1, 5)]


def make(folder: Path, kind: str, marks: dict[str, str], **generation: Any) -> Any:
    """Write a model with a tokenizer that has these special tokens alone, and return it as the server loads it."""
    make_model(folder, AutoModelForCausalLM, kind)
    if generation:
        path = folder / "generation_config.json"
        path.write_text(json.dumps(json.loads(path.read_text()) | generation))
    tokenizer = Tokenizer(WordLevel({word: place for place, word in enumerate(WORDS)}, unk_token="[UNK]"))
    tokenizer.pre_tokenizer = WhitespaceSplit()
    PreTrainedTokenizerFast(tokenizer_object=tokenizer, **marks).save_pretrained(folder)
    return load_tried_model(Settings(model=str(folder), device="cpu"))


@pytest.mark.parametrize("kind", ["llama", "gpt2", "bloom", "opt", "mamba", "mpt"])
@pytest.mark.parametrize("marks", [{}, {"eos_token": "[SEP]"}, {"pad_token": "[PAD]", "eos_token": "[SEP]"}], ids=str)
def test_prompts_of_unlike_length_need_no_special_token(tmp_path: Path, kind: str, marks: dict[str, str]) -> None:
    model = make(tmp_path, kind, marks)
    generate = pipeline("text-generation", model=str(tmp_path), device="cpu")
    options = {"max_new_tokens": 6, "do_sample": False, "return_full_text": False}
    wanted = [generate(prompt, **options)[0]["generated_text"] for prompt in PROMPTS]
    assert [each["generated_text"] for each in model.predict(PROMPTS, Parameters(max_new_tokens=6))] == wanted
    [alone] = model.predict(PROMPTS[:1], Parameters(max_new_tokens=6))
    assert alone["generated_text"] == wanted[0]


def test_a_prompt_without_a_token_is_refused(tmp_path: Path) -> None:
    model = make(tmp_path, "llama", {})
    with pytest.raises(InvalidInputError, match="no token"):
        model.predict(["  "], Parameters())


def test_a_network_that_needs_a_long_text_before_is_refused_by_name(tmp_path: Path) -> None:
    with pytest.raises(ModelUnavailableError, match="XLNetLMHeadModel"):
        make(tmp_path, "xlnet", {"pad_token": "[PAD]"})


class Reader:
    """Collects the pieces of a stream."""

    wanted = True

    def __init__(self) -> None:
        self.texts: list[str] = []

    def put(self, piece: Any) -> None:
        """Take a piece."""
        self.texts.append(piece.text)


@pytest.mark.parametrize(
    "generation",
    [
        {"num_beams": 2},
        {"num_beams": 2, "num_return_sequences": 2},
        {"return_dict_in_generate": True, "output_scores": True},
        {"eos_token_id": [3, 12, 19, 30]},
        {"repetition_penalty": 1.4, "suppress_tokens": [7, 9]},
        {"do_sample": True, "temperature": 0.3, "top_k": 3},
    ],
    ids=str,
)
def test_what_generation_config_asks_for(tmp_path: Path, generation: dict[str, Any]) -> None:
    model = make(tmp_path, "llama", {"pad_token": "[PAD]", "eos_token": "[SEP]"}, **generation)
    generate = pipeline("text-generation", model=str(tmp_path), device="cpu")
    options = {"max_new_tokens": 6, "do_sample": False, "return_full_text": False, "tokenizer": generate.tokenizer}
    wanted = [generate(prompt, **options)[0]["generated_text"] for prompt in PROMPTS]
    parameters = Parameters(max_new_tokens=6)
    assert [each["generated_text"] for each in model.predict(PROMPTS, parameters)] == wanted
    reader = Reader()
    [turn] = model.predict_batch(model.streaming(model.preprocess(PROMPTS[:1], parameters), reader))
    assert turn.text == wanted[0]
    assert turn.text.startswith("".join(reader.texts))
