import argparse
from pathlib import Path

import yaml

from streamflow.data import load, split, windows
from streamflow.models import MODELS, nse

if __name__ == "__main__":
    p = argparse.ArgumentParser()
    p.add_argument("--model", choices=MODELS, default="gbm")
    p.add_argument("--out", type=Path, default=Path("runs"))
    args = p.parse_args()

    folder = args.out / args.model
    if not folder.exists():
        raise SystemExit(f"{folder} does not exist, train first")
    params = yaml.safe_load((folder / "params.yml").read_text())
    _, (x, y) = split(*windows(load(), params["window"]))
    model = MODELS[args.model].load(folder / MODELS[args.model].file)
    print(f"NSE on the test years: {nse(y, model.predict(x)):.3f}")
