"""A tiny model of random weights, and reviews for it."""

from pathlib import Path

import torch
from tokenizers import Tokenizer
from tokenizers.models import WordLevel
from tokenizers.pre_tokenizers import WhitespaceSplit
from transformers import DistilBertConfig, DistilBertForSequenceClassification, PreTrainedTokenizerFast

INPUTS = [{"title": "happy", "body": "a dog\nruns"}, {"title": "", "body": "the rain"}]
REFUSED = {"title": "", "body": " \n"}
PARAMETERS = {"with_title": False}
WORDS = ["[PAD]", "[UNK]", "a", "happy", "dog", "runs", "the", "rain"]


def make_model(folder: Path) -> Path:
    """Write a model with two labels to the folder."""
    torch.manual_seed(0)
    config = DistilBertConfig(
        vocab_size=len(WORDS), max_position_embeddings=32, dim=16, hidden_dim=32, n_layers=1, n_heads=2
    )
    config.id2label = {0: "bad", 1: "good"}
    DistilBertForSequenceClassification(config).save_pretrained(folder)
    words = Tokenizer(WordLevel({word: index for index, word in enumerate(WORDS)}, unk_token="[UNK]"))
    words.pre_tokenizer = WhitespaceSplit()
    tokenizer = PreTrainedTokenizerFast(
        tokenizer_object=words, pad_token="[PAD]", unk_token="[UNK]", model_max_length=32
    )
    tokenizer.save_pretrained(folder)
    return folder
