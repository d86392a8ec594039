"""paratope-train: fits the classifier."""

import logging
from pathlib import Path

import hydra
import joblib
import pandas as pd
from omegaconf import DictConfig, OmegaConf
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import accuracy_score
from sklearn.model_selection import train_test_split

from paratope.embeddings import Embedder

log = logging.getLogger(__name__)


def fit(cfg: DictConfig) -> float:
    """Trains, saves the classifier, returns the accuracy on what was held out."""
    table = pd.read_csv(cfg.data.path, comment="#")
    features = Embedder(cfg.model, cfg.device, cfg.seed)(table["sequence"].tolist())
    parts = train_test_split(
        features,
        table["label"],
        test_size=cfg.data.test_fraction,
        random_state=cfg.seed,
        stratify=table["label"],
    )
    classifier = LogisticRegression(C=cfg.classifier.C, max_iter=cfg.classifier.max_iter)
    classifier.fit(parts[0], parts[2])
    accuracy = float(accuracy_score(parts[3], classifier.predict(parts[1])))
    output = Path(cfg.output)
    output.parent.mkdir(parents=True, exist_ok=True)
    joblib.dump({"classifier": classifier, "model": OmegaConf.to_container(cfg.model)}, output)
    log.info("accuracy %.3f on %d sequences, saved to %s", accuracy, len(parts[3]), output)
    return accuracy


@hydra.main(version_base="1.3", config_path="conf", config_name="train")
def main(cfg: DictConfig) -> None:
    fit(cfg)


if __name__ == "__main__":
    main()
