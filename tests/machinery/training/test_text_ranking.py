"""What the training of a ranking model promises."""

import json
import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from datasets import Dataset
from example import SIZE, WORDS, make_model, make_tokenizer
from transformers import BertConfig, BertForSequenceClassification

from my_project import components
from my_project.components import load_model
from my_project.errors import InvalidInputError
from my_project.settings import Settings
from my_project.task.training import TextRankingConfig, TextRankingLearner, ndcg

EXAMPLES = Dataset.from_list([{"query": "a dog", "passage": "the dog", "label": 1}])


def test_the_ndcg_counts_the_best_ten() -> None:
    labels = np.array([0.0, 1.0, 0.5])
    assert ndcg(np.array([1.0, 3.0, 2.0]), labels) == 1
    ideal = 1 + 0.5 / math.log2(3)
    assert ndcg(np.array([3.0, 2.0, 1.0]), labels) == pytest.approx((1 / math.log2(3) + 0.5 / 2) / ideal)
    relevant_last = np.eye(11)[10]
    assert ndcg(-np.arange(11.0), relevant_last) == 0
    assert ndcg(np.arange(11.0), relevant_last) == 1


@pytest.mark.parametrize(
    ("labels", "reason"),
    [
        ([1, 1], "no held-out query has passages of different labels"),
        ([0, 1.5], "label: '1.5' is not a number from 0"),
        (["yes", "no"], "label: 'yes' is not a number from 0"),
    ],
)
def test_labels_that_no_ranking_can_be_evaluated_with_are_refused(
    tmp_path: Path, labels: list[Any], reason: str
) -> None:
    queries = [f"{number} dogs" for number in range(40)]
    rows = [{"query": query, "passage": "a dog", "label": label} for query in queries for label in labels]
    (tmp_path / "a.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    config = TextRankingConfig(data=str(tmp_path / "a.jsonl"), holdout=0.5)
    task = components.training_task()(config, components.get_settings())
    with pytest.raises(InvalidInputError, match=reason) as error:
        task.load_data(tmp_path / "cache")
    assert "\n" not in str(error.value)


def test_a_model_for_other_labels_gets_a_new_head_that_is_served(tmp_path: Path) -> None:
    base = tmp_path / "base"
    config = BertConfig(vocab_size=len(WORDS), max_position_embeddings=32, id2label={0: "a", 1: "b", 2: "c"}, **SIZE)
    BertForSequenceClassification(config).save_pretrained(base)
    make_tokenizer().save_pretrained(base)
    learner = TextRankingLearner(base, TextRankingConfig(), EXAMPLES)
    learner.save(tmp_path / "new")
    model = load_model(Settings(model=str(tmp_path / "new"), device="cpu"))
    [score] = model.predict([("a dog", "the dog")], components.schemas().parameters())
    batch = learner.collate([{key: value[0] for key, value in learner.encode(EXAMPLES[:1]).items()}])
    with torch.inference_mode():
        found = learner.network.eval()(**batch)
    assert score == pytest.approx(torch.sigmoid(found["logits"])[0].item(), abs=1e-5)
    assert found["loss"].item() == pytest.approx(-math.log(score), abs=1e-5)


def test_a_version_keeps_activation_and_limit_of_a_cross_encoder(tmp_path: Path) -> None:
    base = make_model(tmp_path / "base")
    options = {"activation_fn": "torch.nn.modules.linear.Identity", "model_type": "CrossEncoder"}
    (base / "config_sentence_transformers.json").write_text(json.dumps(options))
    (base / "modules.json").write_text(json.dumps([{"path": "", "type": "sentence_transformers.models.Transformer"}]))
    (base / "sentence_bert_config.json").write_text(json.dumps({"max_seq_length": 20}))
    TextRankingLearner(base, TextRankingConfig(max_tokens=10), EXAMPLES).save(tmp_path / "new")
    parameters = components.schemas().parameters
    pairs = [("a dog", "the dog runs"), ("paris", "dog " * 15)]
    before, after = (load_model(Settings(model=str(folder), device="cpu")) for folder in (base, tmp_path / "new"))
    scores = after.predict(pairs, parameters())
    assert scores == pytest.approx(before.predict(pairs, parameters()), abs=1e-6)
    assert scores == pytest.approx(after.predict(pairs, parameters(raw_scores=True)), abs=1e-6)
    with pytest.raises(InvalidInputError, match="the model takes 20"):
        after.predict([("paris", "dog " * 20)], parameters())
