import argparse
from pathlib import Path

import yaml

from streamflow.data import load, split, windows
from streamflow.models import MODELS, nse

if __name__ == "__main__":
    p = argparse.ArgumentParser()
    p.add_argument("--model", choices=MODELS, default="gbm")
    p.add_argument("--epochs", type=int, default=50)
    p.add_argument("--window", type=int, default=7)
    p.add_argument("--out", type=Path, default=Path("runs"))
    p.add_argument("--dry-run", action="store_true")
    args = p.parse_args()

    (x, y), _ = split(*windows(load(), args.window))
    print(f"{args.model}: {len(x)} windows of {args.window} days")
    if args.dry_run:
        raise SystemExit
    model = MODELS[args.model]().fit(x, y, args.epochs)
    folder = args.out / args.model
    folder.mkdir(parents=True, exist_ok=True)
    model.save(folder / model.file)
    (folder / "params.yml").write_text(yaml.safe_dump({"window": args.window, "epochs": args.epochs}))
    print(f"NSE on the training years: {nse(y, model.predict(x)):.3f}")
