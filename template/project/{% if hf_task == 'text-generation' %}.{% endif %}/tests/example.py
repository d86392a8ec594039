"""A tiny model of random weights, and what may be asked of it."""

from pathlib import Path
from string import printable

import torch
from tokenizers import Tokenizer
from tokenizers.decoders import ByteLevel as ByteLevelDecoder
from tokenizers.models import BPE
from tokenizers.pre_tokenizers import ByteLevel
from transformers import LlamaConfig, LlamaForCausalLM, PreTrainedTokenizerFast

INPUTS = ["a happy dog", "the rain in paris", "a dog runs"]
REFUSED = "rain " * 100
PARAMETERS = {"max_new_tokens": 4}
SIZE = {"hidden_size": 32, "num_hidden_layers": 2, "num_attention_heads": 4, "intermediate_size": 64}
WORDS = ["<unk>", "<eos>", "\u0120", *printable[:94]]  # U+0120 is how byte-level tokenizers write a space
CHAT = "{% for message in messages %}{{ message.role }} {{ message.content }} {% endfor %}"


def make_model(folder: Path) -> Path:
    """Writes a causal language model, whose tokens are letters, with a chat template to the folder."""
    torch.manual_seed(0)
    config = LlamaConfig(vocab_size=len(WORDS), max_position_embeddings=128, bos_token_id=None, eos_token_id=1, **SIZE)
    LlamaForCausalLM(config).save_pretrained(folder)
    tokenizer = Tokenizer(BPE({word: index for index, word in enumerate(WORDS)}, [], unk_token="<unk>"))
    tokenizer.pre_tokenizer = ByteLevel(add_prefix_space=False)
    tokenizer.decoder = ByteLevelDecoder()
    PreTrainedTokenizerFast(
        tokenizer_object=tokenizer,
        unk_token="<unk>",
        eos_token="<eos>",
        chat_template=CHAT,
        model_max_length=128,
    ).save_pretrained(folder)
    return folder
