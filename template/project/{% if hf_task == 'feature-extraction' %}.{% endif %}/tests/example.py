"""A tiny model of random weights, and what may be asked of it."""

import json
from pathlib import Path

import torch
from tiny_tokenizer import WORDS, make_tokenizer
from transformers import BertConfig, BertModel

INPUTS = ["a happy dog", "the rain in paris", "a dog runs in the rain and sings of paris"]
REFUSED = "rain " * 100
PARAMETERS = {"normalize": False}
SIZE = {"hidden_size": 32, "num_hidden_layers": 2, "num_attention_heads": 4, "intermediate_size": 64}


def make_model(folder: Path) -> Path:
    """Writes a sentence-transformers model to the folder."""
    torch.manual_seed(0)
    BertModel(BertConfig(vocab_size=len(WORDS), max_position_embeddings=32, **SIZE)).save_pretrained(folder)
    make_tokenizer().save_pretrained(folder)
    kinds = ["Transformer", "Pooling", "Normalize"]
    modules = [{"path": f"{i}_{kind}" if i else "", "type": f"models.{kind}"} for i, kind in enumerate(kinds)]
    (folder / "modules.json").write_text(json.dumps(modules))
    (folder / "1_Pooling").mkdir()
    (folder / "1_Pooling" / "config.json").write_text(json.dumps({"pooling_mode_mean_tokens": True}))
    prompts = {"prompts": {"query": "the rain "}}
    (folder / "config_sentence_transformers.json").write_text(json.dumps(prompts))
    return folder
