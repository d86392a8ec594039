"""Classifiers of texts and pairs give the numbers of transformers' pipeline and of CrossEncoder."""

import json
from pathlib import Path
from typing import Any

import pytest
import torch
from conftest import Load
from tiny import LONGEST, WORDS, make_model, make_tokenizer, words
from tokenizers import Tokenizer
from tokenizers.models import WordLevel
from tokenizers.pre_tokenizers import WhitespaceSplit
from tokenizers.processors import TemplateProcessing
from transformers import (
    AutoModel,
    AutoModelForSequenceClassification,
    ByT5Tokenizer,
    PerceiverTokenizer,
    PreTrainedTokenizerFast,
    pipeline,
)

from my_project.errors import InvalidInputError, ModelUnavailableError
from my_project.schemas import Parameters

TEXTS: list[Any] = [words(3), words(20, 3), words(1, 5), (words(4), words(9, 2)), (words(12), words(2, 2))]


def expected(folder: Path, texts: list[Any] = TEXTS) -> list[dict[str, float]]:
    """Return the scores of transformers, each text alone."""
    classify = pipeline("text-classification", model=str(folder), device="cpu")
    given = [{"text": each[0], "text_pair": each[1]} if isinstance(each, tuple) else each for each in texts]
    return [{label["label"]: label["score"] for label in classify(each, top_k=None)} for each in given]


def scores(model: Any, texts: list[Any] = TEXTS, **parameters: Any) -> list[dict[str, float]]:
    """Return the scores of the project, all texts in one request."""
    found = model.predict(texts, Parameters(**parameters))
    return [{label["label"]: label["score"] for label in labels} for labels in found]


def agrees(found: list[dict[str, float]], wanted: list[dict[str, float]]) -> None:
    """Compare two lists of scores."""
    for one, other in zip(found, wanted, strict=True):
        assert one == pytest.approx(other, rel=1e-4, abs=1e-5)


@pytest.mark.parametrize(
    "options",
    [
        {"num_labels": 1, "problem_type": "regression"},
        {"num_labels": 3, "problem_type": "regression"},
        {"num_labels": 3, "problem_type": "multi_label_classification"},
        {"num_labels": 3, "problem_type": "single_label_classification"},
        {"num_labels": 1},
        {"num_labels": 4},
    ],
    ids=str,
)
def test_the_problem_type_decides_how_logits_become_scores(load: Load, tmp_path: Path, options: dict[str, Any]) -> None:
    make_model(tmp_path, AutoModelForSequenceClassification, "bert", **options)
    make_tokenizer(tmp_path, LONGEST, types=True)
    agrees(scores(load(tmp_path)), expected(tmp_path))


@pytest.mark.parametrize(
    "saved",
    [
        {"sentence_transformers": {"activation_fn": "torch.nn.modules.linear.Identity"}},
        {"sentence_transformers": {"activation_fn": "torch.nn.modules.activation.Sigmoid"}},
        {"sbert_ce_default_activation_function": "torch.nn.modules.linear.Identity"},
    ],
    ids=["identity", "sigmoid", "older"],
)
def test_the_activation_of_a_cross_encoder_is_followed(load: Load, tmp_path: Path, saved: dict[str, Any]) -> None:
    from sentence_transformers import CrossEncoder

    make_model(tmp_path, AutoModelForSequenceClassification, "bert", num_labels=1, **saved)
    make_tokenizer(tmp_path, LONGEST, types=True)
    pairs = [each for each in TEXTS if isinstance(each, tuple)]
    wanted = CrossEncoder(str(tmp_path), device="cpu").predict(pairs)
    assert [score for each in scores(load(tmp_path), pairs) for score in each.values()] == pytest.approx(
        wanted.tolist(), abs=1e-4
    )


def test_an_activation_that_is_not_supported_is_refused_by_name(load: Load, tmp_path: Path) -> None:
    saved = {"activation_fn": "torch.nn.modules.activation.Softplus"}
    make_model(tmp_path, AutoModelForSequenceClassification, "bert", num_labels=1, sentence_transformers=saved)
    make_tokenizer(tmp_path, LONGEST, types=True)
    with pytest.raises(ModelUnavailableError, match=r"Softplus is not supported"):
        load(tmp_path)


def test_a_network_without_a_head_is_refused(load: Load, tmp_path: Path) -> None:
    make_model(tmp_path, AutoModel, "bert")
    make_tokenizer(tmp_path, LONGEST, types=True)
    with pytest.raises(ModelUnavailableError, match="lacks 2 weights of BertForSequenceClassification"):
        load(tmp_path)


def change(path: Path, **values: Any) -> None:
    """Change values of a JSON file."""
    path.write_text(json.dumps(json.loads(path.read_text()) | values))


@pytest.mark.parametrize(
    ("values", "reason"),
    [
        ({"auto_map": {"AutoConfig": "modeling.Config"}, "model_type": "own"}, "has code of its own, which is not run"),
        ({"auto_map": {"AutoModel": "modeling.Model"}, "intermediate_size": 63}, "code of its own, which is not run"),
        ({"intermediate_size": 63}, "was made for another task, or a file is missing"),
        ({"id2label": {"1": "no", "2": "yes"}}, "names no label 0: number those of id2label from 0"),
    ],
    ids=["unknown", "known", "size", "labels"],
)
def test_a_configuration_that_does_not_fit_is_refused_by_name(
    load: Load, tmp_path: Path, values: dict[str, Any], reason: str
) -> None:
    make_model(tmp_path, AutoModelForSequenceClassification, "bert")
    make_tokenizer(tmp_path, LONGEST, types=True)
    change(tmp_path / "config.json", **values)
    with pytest.raises(ModelUnavailableError, match=reason):
        load(tmp_path)


@pytest.mark.parametrize(
    ("kind", "tokenizer"), [("t5", ByT5Tokenizer), ("perceiver", PerceiverTokenizer)], ids=["byt5", "perceiver"]
)
def test_tokenizers_of_bytes(load: Load, tmp_path: Path, kind: str, tokenizer: Any) -> None:
    network_class = AutoModelForSequenceClassification
    options = {"vocab_size": 400, "eos_token_id": 1} | ({"max_position_embeddings": 256} if kind == "perceiver" else {})
    make_model(tmp_path, network_class, kind, **options)
    tokenizer(model_max_length=48).save_pretrained(tmp_path)
    texts: list[Any] = ["a dog runs over there", "yes, but not far", ("a happy dog", "runs home")]
    try:
        model = load(tmp_path)
    except ModelUnavailableError as error:
        assert "needs transformers, so it cannot be exported: use torch" in str(error)
        return
    agrees(scores(model, texts), expected(tmp_path, texts))


@pytest.mark.parametrize("kind", ["mbart", "plbart", "t5", "mixtral", "doge"])
def test_one_text_alone_and_several_in_one_batch(load: Load, tmp_path: Path, kind: str) -> None:
    make_model(tmp_path, AutoModelForSequenceClassification, kind)
    make_tokenizer(tmp_path, LONGEST, types=False)
    model = load(tmp_path)
    texts = [words(3), words(20, 3), words(1, 5)]
    wanted = expected(tmp_path, texts)
    agrees(scores(model, texts), wanted)
    agrees(scores(model, texts[:1]), wanted[:1])


def make_xlnet_tokenizer(folder: Path) -> None:
    """Write a tokenizer as XLNet's: [CLS] of type 2 at the end, padding on the left, and no limit."""
    tokenizer = Tokenizer(WordLevel({word: place for place, word in enumerate(WORDS)}, unk_token="[UNK]"))
    tokenizer.pre_tokenizer = WhitespaceSplit()
    tokenizer.post_processor = TemplateProcessing(
        single="$A [SEP] [CLS]:2",
        pair="$A [SEP] $B:1 [SEP]:1 [CLS]:2",
        special_tokens=[("[CLS]", 2), ("[SEP]", 3)],
    )
    names = ["input_ids", "token_type_ids", "attention_mask"]
    found = PreTrainedTokenizerFast(
        tokenizer_object=tokenizer, pad_token="[PAD]", unk_token="[UNK]", padding_side="left", model_input_names=names
    )
    found.save_pretrained(folder)


def test_token_types_of_any_number_reach_the_network(load: Load, tmp_path: Path) -> None:
    network = make_model(tmp_path, AutoModelForSequenceClassification, "xlnet")
    with torch.no_grad():
        for parameter in network.parameters():
            parameter.mul_(3)
    network.save_pretrained(tmp_path)
    make_xlnet_tokenizer(tmp_path)
    try:
        model = load(tmp_path)
    except ModelUnavailableError as error:
        assert "keep runtime torch" in str(error)  # the exporter cannot trace XLNet
        return
    agrees(scores(model), expected(tmp_path))


@pytest.mark.parametrize("kind", ["gpt2", "llama", "opt"])
@pytest.mark.parametrize("marks", [{"pad_token": "w54", "eos_token": "w54"}, {"eos_token": "w54"}, {}], ids=str)
def test_texts_of_unlike_length_need_no_padding_token(
    load: Load, tmp_path: Path, kind: str, marks: dict[str, str]
) -> None:
    make_model(tmp_path, AutoModelForSequenceClassification, kind, pad_token_id=None)
    tokenizer = Tokenizer(WordLevel({word: place for place, word in enumerate(WORDS)}, unk_token="[UNK]"))
    tokenizer.pre_tokenizer = WhitespaceSplit()
    PreTrainedTokenizerFast(tokenizer_object=tokenizer, **marks).save_pretrained(tmp_path)
    texts = [words(3), words(20, 3), words(5, 5)]
    agrees(scores(load(tmp_path), texts), expected(tmp_path, texts))


def test_a_short_text_beside_a_long_one_has_its_own_answer(load: Load, tmp_path: Path) -> None:
    make_model(tmp_path, AutoModelForSequenceClassification, "fnet")
    make_tokenizer(tmp_path, LONGEST, types=True)
    agrees(scores(load(tmp_path)), expected(tmp_path))


@pytest.mark.parametrize("kind", ["mt5", "mpt", "bloom", "funnel", "xlnet", "llama"])
def test_a_short_text_may_be_cut_where_nothing_limits_it(tmp_path: Path, kind: str) -> None:
    from my_project.components import load_tried_model
    from my_project.settings import Settings

    make_model(tmp_path, AutoModelForSequenceClassification, kind)
    make_tokenizer(tmp_path, None, types=kind in ("funnel", "xlnet"))
    chosen = {"runtime": "torch"} if "runtime" in Settings.model_fields else {}
    settings = Settings(model=str(tmp_path), device="cpu", **chosen)
    texts = [words(3), words(20, 3)]
    agrees(scores(load_tried_model(settings), texts, truncate=True), expected(tmp_path, texts))


@pytest.mark.parametrize(("kind", "limit", "longest"), [("bert", None, 48), ("roberta", None, 49), ("bert", 16, 16)])
def test_a_text_at_the_limit_passes_and_one_token_more_is_refused_or_cut(
    load: Load, tmp_path: Path, kind: str, limit: int | None, longest: int
) -> None:
    make_model(tmp_path, AutoModelForSequenceClassification, kind)
    make_tokenizer(tmp_path, limit, types=kind == "bert")
    model = load(tmp_path)
    fits = words(longest - 2)
    agrees(scores(model, [fits]), expected(tmp_path, [fits]))
    with pytest.raises(InvalidInputError, match=f"has {longest + 1} tokens and the model takes {longest}"):
        model.predict([f"{fits} w1"], Parameters())
    agrees(scores(model, [f"{fits} w1"], truncate=True), expected(tmp_path, [fits]))
