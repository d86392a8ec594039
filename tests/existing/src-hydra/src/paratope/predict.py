"""paratope-predict: labels a table of sequences."""

import logging
import sys
from pathlib import Path

import hydra
import joblib
import pandas as pd
from omegaconf import DictConfig

from paratope.embeddings import Embedder

log = logging.getLogger(__name__)


@hydra.main(version_base="1.3", config_path="conf", config_name="predict")
def main(cfg: DictConfig) -> None:
    if not Path(cfg.classifier).is_file():
        sys.exit(f"There is no {cfg.classifier}: run paratope-train first")
    classifier = joblib.load(cfg.classifier)["classifier"]
    table = pd.read_csv(cfg.input, comment="#")
    features = Embedder(cfg.model, cfg.device, cfg.seed)(table["sequence"].tolist())
    table["probability"] = classifier.predict_proba(features)[:, 1].round(4)
    Path(cfg.output).parent.mkdir(parents=True, exist_ok=True)
    table.to_csv(cfg.output, index=False)
    log.info("%d predictions in %s", len(table), cfg.output)


if __name__ == "__main__":
    main()
