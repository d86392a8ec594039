import lightgbm as lgb
import numpy as np
import torch
from einops import rearrange
from torch import nn
from tqdm import trange


class GBM:
    """LightGBM over the flattened window."""

    file = "model.txt"

    def __init__(self, booster=None):
        self.booster = booster

    def fit(self, x, y, epochs=50):
        table = lgb.Dataset(rearrange(x, "n t f -> n (t f)"), y)
        options = {"objective": "regression", "min_data_in_leaf": 3, "verbose": -1, "seed": 1}
        self.booster = lgb.train(options, table, num_boost_round=epochs)
        return self

    def predict(self, x):
        return self.booster.predict(rearrange(x, "n t f -> n (t f)"))

    def save(self, path):
        self.booster.save_model(path)

    @classmethod
    def load(cls, path):
        return cls(lgb.Booster(model_file=path))


class LSTM(nn.Module):
    file = "model.pt"

    def __init__(self, features=2, hidden=16):
        super().__init__()
        self.lstm = nn.LSTM(features, hidden, batch_first=True)
        self.head = nn.Linear(hidden, 1)

    def forward(self, x):
        return rearrange(self.head(self.lstm(x)[0][:, -1]), "n 1 -> n")

    def fit(self, x, y, epochs=50):
        torch.manual_seed(1)
        optimizer = torch.optim.Adam(self.parameters(), lr=1e-2)
        x, y = torch.from_numpy(x), torch.from_numpy(y)
        for _ in trange(epochs, desc="lstm", leave=False):
            loss = nn.functional.mse_loss(self(x), y)
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
        return self

    @torch.no_grad()
    def predict(self, x):
        return self.eval()(torch.from_numpy(x)).numpy()

    def save(self, path):
        torch.save(self.state_dict(), path)

    @classmethod
    def load(cls, path):
        model = cls()
        model.load_state_dict(torch.load(path, weights_only=True))
        return model


MODELS = {"gbm": GBM, "lstm": LSTM}


def nse(observed, simulated):
    """Nash-Sutcliffe efficiency: 1 is perfect, 0 is as good as the mean."""
    return float(1 - np.sum((observed - simulated) ** 2) / np.sum((observed - observed.mean()) ** 2))
