"""A tiny model of random weights, and what may be asked of it."""

from pathlib import Path

import torch
from tiny_tokenizer import WORDS, make_tokenizer
from transformers import BertConfig, BertForSequenceClassification

INPUTS = ["a happy dog", "the rain in paris", "a dog runs in the rain and sings of paris"]
REFUSED = "rain " * 100
PARAMETERS = {"top_k": 2}
SIZE = {"hidden_size": 32, "num_hidden_layers": 2, "num_attention_heads": 4, "intermediate_size": 64}


def make_model(folder: Path) -> Path:
    """Writes a model with three labels to the folder."""
    torch.manual_seed(0)
    labels = {0: "sad", 1: "calm", 2: "happy"}
    config = BertConfig(vocab_size=len(WORDS), max_position_embeddings=32, id2label=labels, **SIZE)
    BertForSequenceClassification(config).save_pretrained(folder)
    make_tokenizer().save_pretrained(folder)
    return folder
