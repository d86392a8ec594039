"""Mean-pooled embeddings of protein sequences."""

from importlib import resources

import numpy as np
import torch
from omegaconf import DictConfig
from transformers import AutoModel, AutoTokenizer, EsmConfig, EsmModel, EsmTokenizer

AMINO_ACIDS = set("ACDEFGHIKLMNPQRSTVWYX")


def pick_device(name: str) -> torch.device:
    if name == "auto":
        name = "cuda" if torch.cuda.is_available() else "cpu"
    return torch.device(name)


def check(sequence: str) -> str:
    """The sequence in upper case; raises ValueError if it is not one of amino acids."""
    sequence = sequence.strip().upper()
    if not sequence or set(sequence) - AMINO_ACIDS:
        raise ValueError(f"not a protein sequence: {sequence[:20]!r}")
    return sequence


class Embedder:
    def __init__(self, cfg: DictConfig, device: str = "auto", seed: int = 0) -> None:
        self.device = pick_device(device)
        self.batch_size = cfg.batch_size
        if cfg.name is None:
            torch.manual_seed(seed)
            with resources.as_file(resources.files("paratope") / "assets/vocab.txt") as vocabulary:
                self.tokenizer = EsmTokenizer(str(vocabulary))
            self.model = EsmModel(
                EsmConfig(
                    vocab_size=len(self.tokenizer),
                    hidden_size=cfg.hidden_size,
                    intermediate_size=2 * cfg.hidden_size,
                    num_hidden_layers=cfg.layers,
                    num_attention_heads=cfg.heads,
                    pad_token_id=self.tokenizer.pad_token_id,
                    mask_token_id=self.tokenizer.mask_token_id,
                    position_embedding_type="rotary",
                ),
                add_pooling_layer=False,
            )
        else:
            self.tokenizer = AutoTokenizer.from_pretrained(cfg.name, revision=cfg.revision)
            self.model = AutoModel.from_pretrained(cfg.name, revision=cfg.revision)
        self.model.eval().to(self.device)

    @torch.inference_mode()
    def __call__(self, sequences: list[str]) -> np.ndarray:
        pooled = []
        for start in range(0, len(sequences), self.batch_size):
            texts = [check(each) for each in sequences[start : start + self.batch_size]]
            batch = self.tokenizer(texts, padding=True, return_tensors="pt").to(self.device)
            hidden = self.model(**batch).last_hidden_state
            mask = batch["attention_mask"].unsqueeze(-1)
            pooled.append(((hidden * mask).sum(1) / mask.sum(1)).cpu().numpy())
        return np.concatenate(pooled)
