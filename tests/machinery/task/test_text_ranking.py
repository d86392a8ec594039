"""What text ranking promises: the scores of a CrossEncoder, computed here with transformers, one pair at a time."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from example import INPUTS, WORDS, make_model, make_tokenizer
from tokenizers import Tokenizer
from transformers import (
    AutoModelForSequenceClassification,
    AutoTokenizer,
    BertConfig,
    GPT2Config,
    ModernBertConfig,
    PretrainedConfig,
    PreTrainedTokenizerFast,
    XLMRobertaConfig,
)

from my_project.components import load_tried_model
from my_project.errors import InvalidInputError, ModelUnavailableError
from my_project.inference.batching import BatchLimits
from my_project.inference.model import InferenceModel
from my_project.schemas import Parameters
from my_project.settings import Settings
from my_project.task.model import TextRankingModel

PAIRS = [
    *INPUTS,
    ("the rain in paris", "a dog sings"),
    {"query": "rain", "text": "a happy dog runs in the rain and sings of paris " * 2},
]
BERT: dict[str, Any] = {"num_hidden_layers": 2, "hidden_size": 32, "num_attention_heads": 4, "intermediate_size": 64}
WHOLE: dict[str, Any] = {"vocab_size": len(WORDS), "num_labels": 1, "pad_token_id": 0}
CONFIGS: dict[str, Callable[[], PretrainedConfig]] = {
    "bert": lambda: BertConfig(max_position_embeddings=64, **BERT, **WHOLE),
    "xlm-roberta": lambda: XLMRobertaConfig(max_position_embeddings=64, type_vocab_size=1, **BERT, **WHOLE),
    "modernbert": lambda: ModernBertConfig(max_position_embeddings=64, cls_token_id=2, sep_token_id=3, **BERT, **WHOLE),
    "gpt2": lambda: GPT2Config(n_positions=64, n_embd=32, n_layer=2, n_head=4, bos_token_id=2, eos_token_id=3, **WHOLE),
}
ACTIVATIONS = {
    "torch.nn.modules.linear.Identity": torch.nn.Identity(),
    "torch.nn.modules.activation.Sigmoid": torch.nn.Sigmoid(),
}


def write_model(folder: Path, config: PretrainedConfig) -> Path:
    """Write a network of random weights and a tokenizer that ends each part of a pair."""
    torch.manual_seed(0)
    network = AutoModelForSequenceClassification.from_config(config)
    for parameter in network.parameters():
        if parameter.dim() > 1:
            torch.nn.init.normal_(parameter, std=0.2)
    network.save_pretrained(folder)
    tokenizer: Any = make_tokenizer()
    backend: Tokenizer = tokenizer.backend_tokenizer
    PreTrainedTokenizerFast(
        tokenizer_object=backend, pad_token="[PAD]", unk_token="[UNK]", model_max_length=64
    ).save_pretrained(folder)
    return folder


def reference(folder: Path, activation: Callable[[torch.Tensor], torch.Tensor]) -> list[float]:
    """Return the scores of PAIRS, each computed alone."""
    tokenizer = AutoTokenizer.from_pretrained(folder)
    network = AutoModelForSequenceClassification.from_pretrained(folder, dtype=torch.float32).eval()
    scores = []
    for pair in PAIRS:
        texts = pair.values() if isinstance(pair, dict) else pair
        with torch.inference_mode():
            scores.append(activation(network(**tokenizer(*texts, return_tensors="pt")).logits)[0, 0].item())
    return scores


def load(folder: Path) -> Any:
    """Return the model in a folder, with torch."""
    return load_tried_model(Settings(model=str(folder), runtime="torch", device="cpu", max_padding=64))


@pytest.mark.parametrize("kind", CONFIGS)
def test_scores_are_those_of_the_network_for_each_pair_alone(tmp_path: Path, kind: str) -> None:
    folder = write_model(tmp_path, CONFIGS[kind]())
    found = load(folder).predict(PAIRS, Parameters())
    assert found == pytest.approx(reference(folder, torch.sigmoid), abs=1e-5)
    assert len({round(score, 3) for score in found}) > 1


@pytest.mark.parametrize("path", ACTIVATIONS)
@pytest.mark.parametrize("saved", ["config.json", "before", "config_sentence_transformers.json"])
def test_the_activation_is_the_one_that_was_saved(tmp_path: Path, path: str, saved: str) -> None:
    folder = write_model(tmp_path, CONFIGS["bert"]())
    config = json.loads((folder / "config.json").read_text())
    if saved == "before":
        config["sbert_ce_default_activation_function"] = path
    elif saved == "config.json":
        config["sentence_transformers"] = {"activation_fn": path, "version": "4.0.1"}
    else:
        (folder / saved).write_text(json.dumps({"activation_fn": path, "model_type": "CrossEncoder"}))
    (folder / "config.json").write_text(json.dumps(config))
    model = load(folder)
    assert model.predict(PAIRS, Parameters()) == pytest.approx(reference(folder, ACTIVATIONS[path]), abs=1e-5)
    raw = model.predict(PAIRS, Parameters(raw_scores=True))
    assert raw == pytest.approx(reference(folder, torch.nn.Identity()), abs=1e-5)


@pytest.mark.parametrize(
    ("file", "content", "reason"),
    [
        ("config.json", {"num_labels": 3}, "has 3 labels and a ranking needs one"),
        (
            "config.json",
            {"sentence_transformers": {"activation_fn": "torch.nn.Tanh"}},
            "torch.nn.Tanh is not supported",
        ),
        ("config.json", {"sentence_transformers": {"activation_fn": "torch.nn.Softmax"}}, "softmax is not supported"),
        (
            "modules.json",
            [{"path": "", "type": "a.Transformer"}, {"path": "1_Logit", "type": "a.LogitScore"}],
            "LogitScore",
        ),
        ("sentence_bert_config.json", {"transformer_task": "text-generation"}, "saved for text-generation"),
        ("sentence_bert_config.json", {"do_lower_case": True}, "do_lower_case"),
        ("config_sentence_transformers.json", {"model_type": "SparseEncoder"}, "holds a SparseEncoder"),
        (
            "config_sentence_transformers.json",
            {"default_prompt_name": "web", "prompts": {"web": "Search: "}},
            "default prompt, web",
        ),
    ],
)
def test_what_is_not_supported_is_refused_by_name(tmp_path: Path, file: str, content: Any, reason: str) -> None:
    folder = tmp_path / "model"
    labels = content.pop("num_labels", 1) if isinstance(content, dict) else 1
    write_model(folder, BertConfig(max_position_embeddings=64, **BERT, **{**WHOLE, "num_labels": labels}))
    before = json.loads((folder / file).read_text()) if (folder / file).exists() else None
    (folder / file).write_text(json.dumps({**before, **content} if before else content))
    with pytest.raises(ModelUnavailableError, match=reason) as error:
        load(folder)
    assert "\n" not in str(error.value)


def test_a_saved_limit_is_that_of_the_pair(tmp_path: Path) -> None:
    folder = write_model(tmp_path, CONFIGS["bert"]())
    (folder / "modules.json").write_text(json.dumps([{"path": "", "type": "sentence_transformers.models.Transformer"}]))
    (folder / "sentence_bert_config.json").write_text(json.dumps({"max_seq_length": 10}))
    model = load(folder)
    assert len(model.predict([("rain", "dog " * 6)], Parameters())) == 1
    with pytest.raises(InvalidInputError, match="11 tokens and the model takes 10"):
        model.predict([("rain", "dog " * 7)], Parameters())


def test_a_long_pair_is_cut_only_if_asked(model: InferenceModel[Any, Any, Any]) -> None:
    with pytest.raises(InvalidInputError, match="104 tokens and the model takes 32"):
        model.predict([("rain", "dog " * 100)], Parameters())
    cut = model.predict([("rain", "happy " + "dog " * 100)], Parameters(truncate=True))
    assert cut == pytest.approx(model.predict([("rain", "happy " + "dog " * 27)], Parameters()), abs=1e-5)
    left = Parameters(truncate=True, truncation_direction="left")
    end = model.predict([("rain", "happy " + "dog " * 100)], left)
    assert end == pytest.approx(model.predict([("rain", "dog " * 28)], Parameters()), abs=1e-5)


def test_the_order_of_a_pair_matters(model: InferenceModel[Any, Any, Any]) -> None:
    one, other = model.predict([("the rain", "a happy dog"), ("a happy dog", "the rain")], Parameters())
    assert one != pytest.approx(other, abs=1e-6)


def test_pairs_are_computed_in_batches_of_like_length(model: InferenceModel[Any, Any, Any]) -> None:
    assert isinstance(model, TextRankingModel)
    pairs = [("rain", "dog " * count) for count in (1, 20, 2, 19, 3, 18)]
    items = model.preprocess(pairs, Parameters())
    batches = list(BatchLimits(max_items=32, max_tokens=1024, max_padding=4).split(items, lambda item: item))
    assert [[item.size for item in batch] for batch in batches] == [[24, 23, 22], [7, 6, 5]]
    alone = [model.predict([pair], Parameters())[0] for pair in pairs]
    assert model.predict(pairs, Parameters()) == pytest.approx(alone, abs=1e-5)


def test_a_text_holds_a_pair_as_json_or_with_a_tab(model: InferenceModel[Any, Any, Any]) -> None:
    texts = ["the rain\tparis", '["the rain", "paris"]', '{"query": "the rain", "text": "paris"}']
    scores = model.predict([model.parse_text(text) for text in texts], Parameters())
    assert scores == pytest.approx([scores[0]] * 3, abs=1e-6)
    for bad in ("the rain", '["rain"]', '{"query": "rain"}', "5", "\tparis"):
        with pytest.raises(InvalidInputError, match="not a pair") as error:
            model.parse_text(bad)
        assert "\n" not in str(error.value)


def test_the_example_of_a_new_project_ranks(tmp_path: Path) -> None:
    scores = load(make_model(tmp_path)).predict(INPUTS, Parameters())
    assert len({round(score, 4) for score in scores}) == len(INPUTS)
