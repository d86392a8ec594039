"""What is said when a class of transformers needs a library that is not installed: at load, and by doctor."""

import base64
import json
import struct
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pytest
import transformers
from transformers import AutoConfig, AutoTokenizer

from my_project.backends.torch import load_pretrained
from my_project.components import get_settings
from my_project.doctor import Context, hub
from my_project.errors import ModelUnavailableError
from my_project.inference.file_selection import PREPROCESSOR

WORDS = "[UNK]\n[CLS]\n[SEP]\n[PAD]\n[MASK]\na\n"
MERGES = {"vocab.json": {"a": 0, "<unk>": 1}, "merges.txt": "a b 1\n"}
JAPANESE = {"tokenizer_class": "BertJapaneseTokenizer", "word_tokenizer_type": "mecab"}


def varint(number: int) -> bytes:
    """Return a number as Protocol Buffers write it."""
    low, rest = number & 127, number >> 7
    return bytes([low | 128]) + varint(rest) if rest else bytes([low])


def field(number: int, value: int | float | bytes) -> bytes:
    """Return a field as Protocol Buffers write it."""
    if isinstance(value, bytes):
        return varint(number << 3 | 2) + varint(len(value)) + value
    if isinstance(value, float):
        return varint(number << 3 | 5) + struct.pack("<f", value)
    return varint(number << 3) + varint(value)


def sentencepiece_vocabulary() -> bytes:
    """Return a vocabulary of SentencePiece: pieces with scores and types, and the type of the model, unigram."""
    pieces = [("<unk>", 2), ("<s>", 3), ("</s>", 3), *((piece, 1) for piece in ["\u2581", "\u2581a", "a", "b"])]
    bodies = [
        field(1, piece.encode()) + field(2, -float(rank)) + field(3, kind) for rank, (piece, kind) in enumerate(pieces)
    ]
    return b"".join(field(1, body) for body in bodies) + field(2, field(3, 1))


def tiktoken_vocabulary() -> bytes:
    """Return a vocabulary of tiktoken: bytes in base64, with their ranks."""
    return b"".join(base64.b64encode(bytes([byte])) + b" %d\n" % byte for byte in range(256))


def write(folder: Path, config: dict[str, Any], **files: Any) -> Path:
    """Write the configuration and files of a model; values that are no text or bytes become JSON."""
    for name, value in {"config.json": config, **files}.items():
        content = value if isinstance(value, (str, bytes)) else json.dumps(value)
        (folder / name).write_bytes(content.encode() if isinstance(content, str) else content)
    return folder


def need_absence(*modules: str) -> None:
    """Skip the test if one of the modules is installed."""
    if installed := [module for module in modules if find_spec(module)]:
        pytest.skip(f"{', '.join(installed)} is installed")


TOKENIZERS: list[tuple[str, dict[str, Any], str]] = [
    *(
        (kind, {file: sentencepiece_vocabulary()}, "sentencepiece")
        for kind, file in [
            ("albert", "spiece.model"),
            ("big_bird", "spiece.model"),
            ("camembert", "sentencepiece.bpe.model"),
            ("deberta-v2", "spm.model"),
            ("gemma", "tokenizer.model"),
            ("llama", "tokenizer.model"),
            ("mbart", "sentencepiece.bpe.model"),
            ("plbart", "sentencepiece.bpe.model"),
            ("rembert", "sentencepiece.model"),
            ("t5", "spiece.model"),
            ("xlm-roberta", "sentencepiece.bpe.model"),
            ("xlnet", "spiece.model"),
        ]
    ),
    ("llama", {"tokenizer.model": tiktoken_vocabulary()}, "tiktoken"),
    ("xlm", MERGES, "sacremoses"),
    ("flaubert", MERGES, "sacremoses"),
    ("biogpt", MERGES, "sacremoses"),
    ("roformer", {"vocab.txt": WORDS}, "rjieba"),
    ("bert", {"vocab.txt": WORDS, "tokenizer_config.json": JAPANESE}, "fugashi"),
    ("bert", {"vocab.txt": WORDS, "tokenizer_config.json": JAPANESE | {"word_tokenizer_type": "sudachi"}}, "sudachipy"),
]


@pytest.mark.parametrize(("kind", "files", "distribution"), TOKENIZERS, ids=lambda value: str(value)[:30])
def test_the_library_of_a_tokenizer_is_named(
    tmp_path: Path, kind: str, files: dict[str, Any], distribution: str
) -> None:
    need_absence(distribution)
    with pytest.raises(ModelUnavailableError) as caught:
        load_pretrained(AutoTokenizer, write(tmp_path, {"model_type": kind}, **files))
    assert str(caught.value).startswith(f"{tmp_path} needs {distribution}")
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("config", "distribution"),
    [
        ({"architecture": "resnet18", "num_classes": 3, "pretrained_cfg": {"classifier": "fc"}}, "timm"),
        ({"model_type": "bert", "quantization_config": {"quant_method": "gptq", "bits": 4}}, "optimum"),
    ],
)
def test_the_library_of_a_network_is_named(tmp_path: Path, config: dict[str, Any], distribution: str) -> None:
    need_absence(distribution)
    if "quantization_config" in config:
        small = {"hidden_size": 32, "num_hidden_layers": 1, "num_attention_heads": 2, "intermediate_size": 32}
        transformers.BertModel(transformers.BertConfig(vocab_size=5, **small)).save_pretrained(tmp_path)
        config = json.loads((tmp_path / "config.json").read_text()) | config
    with pytest.raises(ModelUnavailableError, match=f"needs {distribution}, not installed: "):
        load_pretrained(transformers.AutoModel, write(tmp_path, config))


def test_code_of_a_repository_is_never_run(tmp_path: Path) -> None:
    names = {"AutoConfig": "configuration_mine.Config", "AutoModel": "modeling_mine.Model"}
    write(tmp_path, {"model_type": "mine", "auto_map": names}, **{"configuration_mine.py": "raise SystemExit(3)"})
    with pytest.raises(ModelUnavailableError, match="has code of its own"):
        load_pretrained(AutoConfig, tmp_path)


def test_doctor_names_the_library_of_a_model_that_is_there(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def check() -> tuple[str, str]:
        found = hub.libraries(Context(False, get_settings))
        assert found
        return found.state, f"{found.found}: {found.fix}"

    assert check() == ("ok", "the model's classes can be imported: ")
    distribution = "sacremoses" if PREPROCESSOR == "tokenizer" else "timm"
    need_absence(distribution)
    config: dict[str, Any] = {"architecture": "resnet18", "num_classes": 3, "pretrained_cfg": {"classifier": "fc"}}
    if PREPROCESSOR == "tokenizer":
        config = {"model_type": "xlm", "n_layers": 1, "emb_dim": 32, "n_heads": 2, "n_words": 9}
    header = json.dumps({"weight": {"dtype": "F32", "shape": [1], "data_offsets": [0, 4]}}).encode()
    weights = len(header).to_bytes(8, "little") + header + bytes(4)
    write(tmp_path, config, **MERGES, **{"model.safetensors": weights})
    monkeypatch.setenv("MY_PROJECT_MODEL", str(tmp_path))
    get_settings.cache_clear()
    state, found = check()
    assert state == "fail"
    assert found.startswith(f"the model needs {distribution}, not installed: ")
