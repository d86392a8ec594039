from __future__ import annotations

from dataclasses import asdict, dataclass
from importlib import resources
from pathlib import Path

import numpy as np
import torch
import yaml
from torch import nn


@dataclass
class Preset:
    window: int
    hidden: int
    epochs: int
    learning_rate: float

    @classmethod
    def named(cls, name: str) -> Preset:
        file = resources.files("tidewatch.presets") / f"{name}.yaml"
        return cls(**yaml.safe_load(file.read_text()))


class Detector:
    """An autoencoder over windows; the error of reconstruction is the score."""

    def __init__(self, preset: Preset) -> None:
        self.preset = preset
        torch.manual_seed(0)
        self.network = nn.Sequential(
            nn.Linear(preset.window, preset.hidden),
            nn.Tanh(),
            nn.Linear(preset.hidden, preset.window),
        )
        self.mean, self.scale = 0.0, 1.0

    def _windows(self, level: np.ndarray) -> torch.Tensor:
        scaled = (level.astype(np.float32) - self.mean) / self.scale
        return torch.from_numpy(scaled).unfold(0, self.preset.window, 1)

    def fit(self, level: np.ndarray) -> Detector:
        self.mean, self.scale = float(level.mean()), float(level.std())
        windows = self._windows(level)
        optimizer = torch.optim.Adam(self.network.parameters(), lr=self.preset.learning_rate)
        for _ in range(self.preset.epochs):
            loss = nn.functional.mse_loss(self.network(windows), windows)
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
        return self

    @torch.no_grad()
    def scores(self, level: np.ndarray) -> np.ndarray:
        windows = self._windows(level)
        return (self.network(windows) - windows).pow(2).mean(-1).numpy()

    def save(self, path: Path) -> None:
        state = {"preset": asdict(self.preset), "mean": self.mean, "scale": self.scale}
        torch.save({**state, "network": self.network.state_dict()}, path)

    @classmethod
    def load(cls, path: Path) -> Detector:
        state = torch.load(path, weights_only=True)
        detector = cls(Preset(**state["preset"]))
        detector.mean, detector.scale = state["mean"], state["scale"]
        detector.network.load_state_dict(state["network"])
        return detector
