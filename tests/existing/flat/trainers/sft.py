import json
from pathlib import Path

import torch
from torch.utils.data import DataLoader
from tqdm import tqdm
from transformers import AutoModelForCausalLM, AutoTokenizer, ByT5Tokenizer, GPT2Config, GPT2LMHeadModel

from .config import pick_device


def read_jsonl(path):
    return [json.loads(line) for line in Path(path).read_text().splitlines() if line.strip()]


def load_model(cfg):
    """A checkpoint from disk, or a tiny GPT-2 over bytes with random weights."""
    if cfg.get("path"):
        return AutoModelForCausalLM.from_pretrained(cfg["path"]), AutoTokenizer.from_pretrained(cfg["path"])
    tokenizer = ByT5Tokenizer(extra_ids=0)
    config = GPT2Config(
        vocab_size=len(tokenizer),
        n_positions=256,
        n_embd=cfg.get("hidden_size", 64),
        n_layer=cfg.get("layers", 2),
        n_head=2,
        bos_token_id=tokenizer.eos_token_id,
        eos_token_id=tokenizer.eos_token_id,
        pad_token_id=tokenizer.pad_token_id,
    )
    return GPT2LMHeadModel(config), tokenizer


class SFTTrainer:
    def __init__(self, config):
        self.config = config
        torch.manual_seed(config.get("seed", 0))
        self.device = pick_device(config.get("device", "auto"))
        self.model, self.tokenizer = load_model(config["model"])
        self.model.to(self.device)

    def collate(self, rows):
        texts = [row["prompt"] + "\n" + row["response"] for row in rows]
        batch = self.tokenizer(
            texts,
            padding=True,
            truncation=True,
            max_length=self.config["dataset"]["max_length"],
            return_tensors="pt",
        )
        batch["labels"] = batch["input_ids"].masked_fill(batch["attention_mask"] == 0, -100)
        return batch

    def train(self):
        """Returns the mean loss of each epoch, and saves the model."""
        args = self.config["training"]
        rows = read_jsonl(self.config["dataset"]["path"])
        loader = DataLoader(rows, batch_size=args["batch_size"], shuffle=True, collate_fn=self.collate)
        optimizer = torch.optim.AdamW(self.model.parameters(), lr=float(args["learning_rate"]))
        history = []
        self.model.train()
        for epoch in range(args["epochs"]):
            total = 0.0
            for batch in tqdm(loader, desc=f"epoch {epoch + 1}"):
                loss = self.model(**batch.to(self.device)).loss
                loss.backward()
                optimizer.step()
                optimizer.zero_grad()
                total += loss.item()
            history.append(total / len(loader))
        self.save(args["output_dir"])
        return history

    def save(self, folder):
        Path(folder).mkdir(parents=True, exist_ok=True)
        self.model.save_pretrained(folder)
        self.tokenizer.save_pretrained(folder)
