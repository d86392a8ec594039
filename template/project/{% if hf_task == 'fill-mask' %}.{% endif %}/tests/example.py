"""A tiny model of random weights, and what may be asked of it."""

from pathlib import Path

import torch
from tiny_tokenizer import WORDS, make_tokenizer
from transformers import BertConfig, BertForMaskedLM

INPUTS = ["a happy [MASK]", "the rain in [MASK]", "a dog runs in the [MASK] and sings of paris"]
REFUSED = "no mask"
PARAMETERS = {"top_k": 2}
SIZE = {"hidden_size": 32, "num_hidden_layers": 2, "num_attention_heads": 4, "intermediate_size": 64}


def make_model(folder: Path) -> Path:
    """Writes a masked language model to the folder."""
    torch.manual_seed(0)
    BertForMaskedLM(BertConfig(vocab_size=len(WORDS), max_position_embeddings=32, **SIZE)).save_pretrained(folder)
    make_tokenizer().save_pretrained(folder)
    return folder
