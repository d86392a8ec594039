import copy

import torch
import torch.nn.functional as F
from torch.utils.data import DataLoader

from .sft import SFTTrainer, read_jsonl


class DPOTrainer(SFTTrainer):
    """Direct preference optimisation against a frozen copy of the model."""

    def __init__(self, config):
        super().__init__(config)
        self.reference = copy.deepcopy(self.model).eval()

    def collate(self, rows):
        sides = {}
        for side in ("chosen", "rejected"):
            sides[side] = super().collate([{"prompt": r["prompt"], "response": r[side]} for r in rows])
        return sides

    @staticmethod
    def logp(model, batch):
        logits = model(input_ids=batch["input_ids"], attention_mask=batch["attention_mask"]).logits[:, :-1]
        labels = batch["labels"][:, 1:]
        token = logits.log_softmax(-1).gather(-1, labels.clamp(min=0).unsqueeze(-1)).squeeze(-1)
        return (token * (labels != -100)).sum(-1)

    def train(self):
        args = self.config["training"]
        rows = read_jsonl(self.config["dataset"]["path"])
        loader = DataLoader(rows, batch_size=args["batch_size"], shuffle=True, collate_fn=self.collate)
        optimizer = torch.optim.AdamW(self.model.parameters(), lr=float(args["learning_rate"]))
        history = []
        for _ in range(args["epochs"]):
            total = 0.0
            for sides in loader:
                margins = []
                for side in ("chosen", "rejected"):
                    batch = sides[side].to(self.device)
                    with torch.no_grad():
                        base = self.logp(self.reference, batch)
                    margins.append(self.logp(self.model, batch) - base)
                loss = -F.logsigmoid(args["beta"] * (margins[0] - margins[1])).mean()
                loss.backward()
                optimizer.step()
                optimizer.zero_grad()
                total += loss.item()
            history.append(total / len(loader))
        self.save(args["output_dir"])
        return history
