import io
import json

import numpy as np
import torch
from PIL import Image, UnidentifiedImageError
from torch import nn

from app.config import DATA_DIR, IMAGE_SIZE


class NotAnImage(Exception):
    pass


class LeafNet(nn.Module):
    def __init__(self, classes: int):
        super().__init__()
        self.features = nn.Sequential(
            nn.Conv2d(3, 8, 3, stride=2, padding=1),
            nn.ReLU(),
            nn.Conv2d(8, 16, 3, stride=2, padding=1),
            nn.ReLU(),
            nn.AdaptiveAvgPool2d(1),
            nn.Flatten(),
        )
        self.head = nn.Linear(16, classes)

    def forward(self, x):
        return self.head(self.features(x))


class Diagnosis:
    def __init__(self):
        described = json.loads((DATA_DIR / "classes.json").read_text())
        self.crops = described["crops"]
        self.labels = described["labels"]
        torch.manual_seed(0)
        self.model = LeafNet(len(self.labels))
        weights = DATA_DIR / "leafnet.pt"  # not in git
        if weights.exists():
            self.model.load_state_dict(torch.load(weights, map_location="cpu", weights_only=True))
        self.model.eval()

    @torch.no_grad()
    def of(self, content: bytes):
        try:
            image = Image.open(io.BytesIO(content)).convert("RGB").resize((IMAGE_SIZE, IMAGE_SIZE))
        except UnidentifiedImageError as e:
            raise NotAnImage from e
        pixels = torch.from_numpy(np.asarray(image, dtype=np.float32) / 255).permute(2, 0, 1)
        scores = self.model(pixels[None]).softmax(-1)[0]
        best = int(scores.argmax())
        return self.labels[best], round(float(scores[best]), 3)
