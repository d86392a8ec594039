"""What lies in the repository is what the models expect. Run from its root."""

from pathlib import Path

import pandas as pd

from paratope.embeddings import check


def test_training_set_is_balanced_and_clean():
    table = pd.read_csv("data/train/heavy.csv", comment="#")
    assert table["label"].mean() == 0.5
    assert table["id"].is_unique
    for sequence in table["sequence"]:
        check(sequence)


def test_holdout_has_no_labels():
    header = Path("tests/data/holdout.csv").read_text().splitlines()[0]
    assert header == "id,sequence"
