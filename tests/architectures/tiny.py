"""Tiny models of random weights for every architecture of transformers, with a tokenizer of 60 words."""

from inspect import signature
from pathlib import Path
from typing import Any

import torch
from tokenizers import Tokenizer
from tokenizers.models import WordLevel
from tokenizers.pre_tokenizers import WhitespaceSplit
from tokenizers.processors import TemplateProcessing
from transformers import CONFIG_MAPPING, PretrainedConfig, PreTrainedTokenizerFast

LONGEST = 48
"""Positions of a model, where it has a number of them."""

MARKS = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"]
WORDS = [*MARKS, *(f"w{number}" for number in range(55))]

WIDTHS = [
    "hidden_size",
    "d_model",
    "n_embd",
    "dim",
    "emb_dim",
    "embedding_size",
    "word_embed_proj_dim",
    "embed_dim",
    "dim_model",
    "attention_hidden_size",
    "d_embed",
]
LAYERS = [
    "num_hidden_layers",
    "n_layers",
    "n_layer",
    "num_layers",
    "encoder_layers",
    "decoder_layers",
    "num_encoder_layers",
    "num_decoder_layers",
    "num_latents_layers",
    "num_blocks",
    "n_blocks",
]
HEADS = [
    "num_attention_heads",
    "n_heads",
    "n_head",
    "num_heads",
    "encoder_attention_heads",
    "decoder_attention_heads",
    "num_key_value_heads",
    "num_self_attention_heads",
    "num_cross_attention_heads",
    "num_kv_heads",
]
INNER = [
    "intermediate_size",
    "d_ff",
    "hidden_dim",
    "d_inner",
    "n_inner",
    "ffn_dim",
    "encoder_ffn_dim",
    "decoder_ffn_dim",
    "inner_dim",
    "ffn_hidden_size",
    "moe_intermediate_size",
    "shared_expert_intermediate_size",
    "dense_ffn_hidden_size",
    "moe_shared_expert_intermediate_size",
    "intermediate_size_mlp",
]
HEAD_WIDTHS = [
    "d_kv",
    "head_dim",
    "d_head",
    "qk_nope_head_dim",
    "qk_rope_head_dim",
    "v_head_dim",
    "kv_lora_rank",
    "q_lora_rank",
    "global_head_dim",
]
POSITIONS = [
    "max_position_embeddings",
    "n_positions",
    "max_seq_len",
    "max_sequence_length",
    "max_encoder_position_embeddings",
]
EXPERTS = {"num_experts": 4, "num_local_experts": 4, "n_routed_experts": 4, "num_experts_per_tok": 2}
FIXED: dict[str, Any] = {
    **dict.fromkeys(WIDTHS, 32),
    **dict.fromkeys(LAYERS, 2),
    **dict.fromkeys(HEADS, 2),
    **dict.fromkeys(INNER, 64),
    **dict.fromkeys(HEAD_WIDTHS, 16),
    **dict.fromkeys(POSITIONS, LONGEST),
    **EXPERTS,
    "n_group": 1,
    "topk_group": 1,
    "vocab_size": len(WORDS),
    "pad_token_id": 0,
    "bos_token_id": 2,
    "cls_token_id": 2,
    "decoder_start_token_id": 2,
    "eos_token_id": 3,
    "sep_token_id": 3,
    "layer_types": None,
    "mlp_layer_types": None,
    "sliding_window": 16,
    "forced_eos_token_id": None,
    "forced_bos_token_id": None,
}
"""Values of a tiny configuration, by the names that configurations use."""

SPECIAL: dict[str, dict[str, Any]] = {
    "reformer": {"axial_pos_embds": False, "is_decoder": False, "attn_layers": ["local", "local"], "hash_seed": 0},
    "big_bird": {"attention_type": "original_full"},
    "longformer": {"attention_window": [4, 4], "max_position_embeddings": LONGEST + 2},
    "led": {"attention_window": [4, 4]},
    "roberta": {"max_position_embeddings": LONGEST + 2},
    "funnel": {"block_sizes": [1, 1], "num_decoder_layers": 1},
    "mpt": {"d_model": 32, "n_heads": 2, "n_layers": 2},
    "squeezebert": {
        "q_groups": 1,
        "k_groups": 1,
        "v_groups": 1,
        "post_attention_groups": 1,
        "intermediate_groups": 1,
        "output_groups": 1,
    },
    "perceiver": {"d_latents": 32, "num_latents": 4, "qk_channels": 16, "v_channels": 32},
    "xlm-roberta": {"max_position_embeddings": LONGEST + 2},
    "layoutlm": {"max_2d_position_embeddings": 64},
    "canine": {"max_position_embeddings": 64, "local_transformer_stride": 16},
    "mobilebert": {"true_hidden_size": 32, "intra_bottleneck_size": 32, "num_feedforward_networks": 1},
    "albert": {"embedding_size": 16},
    **{key: {"rotary_dim": 8} for key in ("gptj", "codegen")},
    "gpt_neo": {"attention_types": [[["global", "local"], 1]]},
    "mamba2": {"num_heads": 4, "head_dim": 16},
    **{
        key: {"mamba_n_heads": 4, "mamba_d_head": 16, "layer_types": ["mamba", "attention"]}
        for key in ("bamba", "granitemoehybrid")
    },
    **{
        key: {"layer_types": ["linear_attention", "full_attention"]}
        for key in ("qwen3_next", "qwen3_5_text", "qwen3_5_moe_text", "qwen4_exp_text")
    },
    "jamba": {"attn_layer_period": 2, "attn_layer_offset": 1},
    "recurrent_gemma": {"num_hidden_layers": 3},
    "xmod": {"default_language": "en_XX", "max_position_embeddings": LONGEST + 2},
    "lilt": {"hidden_size": 48, "max_position_embeddings": LONGEST + 2},
    "zaya": {"num_experts_per_tok": 1},
    "dots1": {"n_shared_experts": 1},
}
"""Further values that single architectures need."""


def make_config(kind: str) -> PretrainedConfig:
    """Return the tiny configuration of an architecture. Raises whatever the configuration's own checks raise."""
    default = CONFIG_MAPPING[kind]()
    config = type(default)(**(_shrink(default) | SPECIAL.get(kind, {})))
    if config.is_encoder_decoder:
        config.decoder_start_token_id = FIXED["decoder_start_token_id"]
    return config


def takes_types(network: Any) -> bool:
    """Return whether a network tells the parts of a pair apart by token types."""
    return (
        "token_type_ids" in signature(network.forward).parameters and getattr(network.config, "type_vocab_size", 2) > 1
    )


def make_tokenizer(folder: Path, limit: int | None, types: bool) -> None:
    """Write a tokenizer that begins each text with [CLS] and ends each part with [SEP].

    Args:
        folder: Where to write.
        limit: Its longest input; None is unlimited.
        types: Whether it tells the parts of a pair apart.
    """
    tokenizer = Tokenizer(WordLevel({word: place for place, word in enumerate(WORDS)}, unk_token="[UNK]"))
    tokenizer.pre_tokenizer = WhitespaceSplit()
    tokenizer.post_processor = TemplateProcessing(
        single="[CLS] $A [SEP]",
        pair="[CLS] $A [SEP] $B:1 [SEP]:1",
        special_tokens=[("[CLS]", 2), ("[SEP]", 3)],
    )
    names = ["input_ids", "attention_mask", *(["token_type_ids"] if types else [])]
    marks = {
        "pad_token": "[PAD]",
        "unk_token": "[UNK]",
        "cls_token": "[CLS]",
        "sep_token": "[SEP]",
        "mask_token": "[MASK]",
    }
    found = PreTrainedTokenizerFast(
        tokenizer_object=tokenizer, eos_token="[SEP]", bos_token="[CLS]", model_input_names=names, **marks
    )
    if limit:
        found.model_max_length = limit
    found.save_pretrained(folder)


def make_model(folder: Path, network_class: Any, kind: str, **options: Any) -> Any:
    """Write a model of random weights, and return it. Its numbers are large enough to tell models apart."""
    config = make_config(kind)
    for name, value in options.items():
        setattr(config, name, value)
    torch.manual_seed(0)
    network = network_class.from_config(config, dtype=torch.float32).eval()
    with torch.no_grad():
        for parameter in network.parameters():
            if parameter.dim() > 1:
                parameter.normal_(0, 0.2)
    network.save_pretrained(folder)
    return network


def _shrink(config: PretrainedConfig) -> dict[str, Any]:
    known = config.to_dict()
    aliases = getattr(config, "attribute_map", {})
    found: dict[str, Any] = {}
    for name, value in known.items():
        child = getattr(config, name, None)
        if isinstance(child, PretrainedConfig):
            found[name] = {**_shrink(child)}
        elif name in FIXED and name not in aliases and (value is not None or FIXED[name] is not None):
            found[name] = FIXED[name]
    return found


def words(count: int, start: int = 0) -> str:
    """Return a text of so many tokens, without those that the tokenizer adds."""
    return " ".join(WORDS[len(MARKS) + (start + 7 * place) % 55] for place in range(count))
